#include "model_io.h"

#include <math.h>
#include <string.h>

const ModelTensor model_inputs[MODEL_INPUTS] = {
@{input_table}
};

const ModelTensor model_outputs[MODEL_OUTPUTS] = {
@{output_table}
};

/* The nearest integer, halves to even, inside the bounds. */
static int32_t level(const ModelTensor *tensor, float real, float low, float high) {
  float found = nearbyintf(real / tensor->scale) + (float)tensor->zero_point;
  return (int32_t)(found < low ? low : found > high ? high : found);
}

void model_encode(const ModelTensor *tensor, const void *real, void *target) {
  const float *values = (const float *)real;
  if (tensor->scale == 0.0f) {
    memcpy(target, real, tensor->bytes);
    return;
  }
  for (size_t i = 0; i < tensor->elements; ++i) {
    switch (tensor->type) {
      case MODEL_INT8:
        ((int8_t *)target)[i] = (int8_t)level(tensor, values[i], -128.0f, 127.0f);
        break;
      case MODEL_UINT8:
        ((uint8_t *)target)[i] = (uint8_t)level(tensor, values[i], 0.0f, 255.0f);
        break;
      case MODEL_INT16:
        ((int16_t *)target)[i] = (int16_t)level(tensor, values[i], -32768.0f, 32767.0f);
        break;
      default:
        break; /* No other type has a scale. */
    }
  }
}

static float number(const ModelTensor *tensor, const void *array, size_t i) {
  switch (tensor->type) {
    case MODEL_FLOAT32:
      return ((const float *)array)[i];
    case MODEL_INT8:
      return (float)((const int8_t *)array)[i];
    case MODEL_UINT8:
      return (float)((const uint8_t *)array)[i];
    case MODEL_INT16:
      return (float)((const int16_t *)array)[i];
    case MODEL_INT32:
      return (float)((const int32_t *)array)[i];
    case MODEL_INT64:
      return (float)((const int64_t *)array)[i];
    case MODEL_BOOL:
      return (float)((const uint8_t *)array)[i];
  }
  return 0.0f;
}

float model_difference(const ModelTensor *tensor, const void *got, const void *expected) {
  float worst = 0.0f;
  for (size_t i = 0; i < tensor->elements; ++i) {
    worst = fmaxf(worst, fabsf(number(tensor, got, i) - number(tensor, expected, i)));
  }
  return worst;
}
