// What the program knows of its network. A free size of a shape is negative.
#pragma once
#include <string>
#include <vector>

#include "arrays.h"

namespace about {
@{body}
}  // namespace about

// How a file becomes the input.
namespace preparation {
@{preparation}
}  // namespace preparation
