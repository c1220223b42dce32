/* The tensors of the model, and how an app's numbers become the model's. */
#ifndef MODEL_IO_H_
#define MODEL_IO_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_INPUTS @{inputs}
#define MODEL_OUTPUTS @{outputs}

typedef enum {
  MODEL_FLOAT32,
  MODEL_INT8,
  MODEL_UINT8,
  MODEL_INT16,
  MODEL_INT32,
  MODEL_INT64,
  MODEL_BOOL
} ModelType;

typedef struct {
  const char *name;
  ModelType type;
  int index; /* of the interpreter's input or output */
  size_t elements;
  size_t bytes;
  float scale; /* real = scale * (integer - zero_point); 0: the numbers are what they are */
  int32_t zero_point;
} ModelTensor;

extern const ModelTensor model_inputs[MODEL_INPUTS];
extern const ModelTensor model_outputs[MODEL_OUTPUTS];

/* Write to `target` what the model takes for `real`: floats where the tensor has a scale, else numbers of its own type. */
void model_encode(const ModelTensor *tensor, const void *real, void *target);

/* The largest difference of two arrays of the tensor's type, in steps for integers. */
float model_difference(const ModelTensor *tensor, const void *got, const void *expected);

#ifdef __cplusplus
}
#endif

#endif
