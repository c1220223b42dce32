/* The operators of the model, and no other: each that is linked takes program memory. */
#ifndef OPERATORS_H_
#define OPERATORS_H_

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

using ModelOperators = tflite::MicroMutableOpResolver<@{count}>;

inline TfLiteStatus AddModelOperators(ModelOperators& operators) {
@{operators}
  return kTfLiteOk;
}

#endif
