/* @{title} */
#include "model_data.h"

#include <stdalign.h>

alignas(16) const uint8_t model_data[MODEL_SIZE] = {
@{bytes}
};
