// Arrays, and .npy files.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

// An input or output; a free size is negative, the same one for the same name.
struct Spec {
    std::string name;
    std::string dtype;
    std::vector<long long> shape;
};

struct Array {
    std::string dtype;
    std::vector<std::size_t> shape;
    std::vector<std::uint8_t> bytes;
};

// The bytes of a file; throws std::runtime_error for one that cannot be read.
std::vector<std::uint8_t> read_file(const std::string &file);

// The array of a .npy file; throws std::runtime_error.
Array read_npy(const std::string &file);

// How many elements a shape has.
std::size_t count(const std::vector<std::size_t> &shape);

// How many bytes an element has; 0 for a type that is not known.
std::size_t width(const std::string &dtype);

// An element as a real number.
double value(const Array &array, std::size_t place);

// Write an element of a type that files are prepared in.
void set(Array &array, std::size_t place, double number);

// An array of zeros.
Array zeros(const std::string &dtype, const std::vector<std::size_t> &shape);

// A shape in words.
std::string words(const std::vector<std::size_t> &shape);
