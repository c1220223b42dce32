// Runs the example and tells how far its outputs are from those of the machine that exported it.
#include "example.h"
#include "model_data.h"
#include "model_io.h"
#include "operators.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) uint8_t arena[MODEL_ARENA_BYTES];

bool Run(tflite::MicroInterpreter& interpreter) {
  if (interpreter.AllocateTensors() != kTfLiteOk) {
    MicroPrintf("the model cannot be prepared: is the arena too small?");
    return false;
  }
  MicroPrintf("arena: %d of %d bytes", static_cast<int>(interpreter.arena_used_bytes()), static_cast<int>(sizeof(arena)));
  for (int i = 0; i < MODEL_INPUTS; ++i) {
    TfLiteTensor* input = interpreter.input(model_inputs[i].index);
    if (input->bytes != model_inputs[i].bytes) {
      MicroPrintf("%s: %d bytes, expected %d", model_inputs[i].name, static_cast<int>(input->bytes), static_cast<int>(model_inputs[i].bytes));
      return false;
    }
    model_encode(&model_inputs[i], example_real[i], input->data.raw);
  }
  if (interpreter.Invoke() != kTfLiteOk) {
    MicroPrintf("the model failed");
    return false;
  }
  bool close = true;
  for (int i = 0; i < MODEL_OUTPUTS; ++i) {
    const float worst = model_difference(&model_outputs[i], interpreter.output(model_outputs[i].index)->data.raw, example_expected[i]);
    // Optimized kernels may round otherwise: one step of an integer, the last digits of a float. NaN is not close.
    const bool fits = worst <= (model_outputs[i].type == MODEL_FLOAT32 ? 1e-3f : 1.0f);
    MicroPrintf("%s: differs by at most %d / 1000000, %s", model_outputs[i].name, static_cast<int>(worst * 1e6f), fits ? "ok" : "WRONG");
    close = close && fits;
  }
  return close;
}

}  // namespace

int main() {
  tflite::InitializeTarget();
  const tflite::Model* model = tflite::GetModel(model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    MicroPrintf("schema %d, expected %d", static_cast<int>(model->version()), TFLITE_SCHEMA_VERSION);
    return 1;
  }
  static ModelOperators operators;
  if (AddModelOperators(operators) != kTfLiteOk) {
    MicroPrintf("an operator cannot be added");
    return 1;
  }
  static tflite::MicroInterpreter interpreter(model, operators, arena, sizeof(arena));
  return Run(interpreter) ? 0 : 1;
}
