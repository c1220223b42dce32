// How a file becomes the input.
#pragma once
#include <string>

#include "arrays.h"

// The input of a file; throws std::runtime_error.
Array prepare(const std::string &file);
