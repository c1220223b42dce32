// Pillow's antialiased bilinear filter in its own arithmetic.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

// Pixel by pixel, row by row.
struct Picture {
    std::size_t width = 0;
    std::size_t height = 0;
    std::size_t channels = 0;
    std::vector<std::uint8_t> data;
};

// The picture in another size.
Picture resized(const Picture &picture, std::size_t width, std::size_t height);
