// PNG, JPEG and PPM.
#pragma once
#include <string>

#include "resize.h"

// The picture, gray or red, green and blue, in 8 bits; throws std::runtime_error. What is transparent keeps its colours.
Picture decode(const std::string &file);
