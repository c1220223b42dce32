#include "example.h"

#include <stdbool.h>
#include <stdint.h>

@{example}
