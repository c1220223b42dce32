/* What can be checked without the interpreter: the array is the file, aligned, and the example becomes the same integers here. */
#include <stdio.h>
#include <string.h>

#include "example.h"
#include "model_data.h"
#include "model_io.h"

static int same_as(const char *name) {
  FILE *file = fopen(name, "rb");
  size_t i = 0;
  int byte = EOF;
  if (file == NULL) return 0;
  while ((byte = fgetc(file)) != EOF && i < MODEL_SIZE && model_data[i] == (uint8_t)byte) ++i;
  fclose(file);
  return byte == EOF && i == MODEL_SIZE;
}

int main(int count, char **words) {
  static union {
    double aligned;
    uint8_t bytes[1 << 22];
  } target;
  int wrong = 0;
  if (count != 2 || !same_as(words[1])) {
    puts("the array is not the file");
    wrong = 1;
  }
  if ((uintptr_t)model_data % 16 != 0 || memcmp(model_data + 4, "TFL3", 4) != 0) {
    puts("the array is not aligned, or no TF Lite model");
    wrong = 1;
  }
  for (int i = 0; i < MODEL_INPUTS; ++i) {
    if (model_inputs[i].bytes > sizeof target.bytes) {
      printf("input %s is too large for this check\n", model_inputs[i].name);
      continue;
    }
    model_encode(&model_inputs[i], example_real[i], target.bytes);
    if (memcmp(target.bytes, example_encoded[i], model_inputs[i].bytes) != 0) {
      printf("input %s becomes other numbers here\n", model_inputs[i].name);
      wrong = 1;
    }
  }
  if (!wrong) printf("%u bytes are the file, and the example's inputs are the same here\n", (unsigned)MODEL_SIZE);
  return wrong;
}
