// A triangle whose support grows where a picture shrinks, half-pixel centres, across and then down, each sum in
// whole numbers of 22 bits behind the point and rounded to 8 bits.
#include "resize.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr int BITS = 22;

// The first place of the input that counts for a place of the output, and how much it and those behind it do.
struct Filter {
    std::size_t first;
    std::vector<std::int32_t> taps;
};

std::vector<Filter> filters(std::size_t from, std::size_t to) {
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    const double stretch = std::max(scale, 1.0);  // Also how far the triangle reaches.
    std::vector<Filter> found;
    for (std::size_t place = 0; place < to; ++place) {
        const double center = (static_cast<double>(place) + 0.5) * scale;
        const auto first = static_cast<std::size_t>(std::max(0.0, center - stretch + 0.5));
        const auto end = std::min(from, static_cast<std::size_t>(center + stretch + 0.5));
        std::vector<double> weights;
        double sum = 0;
        for (std::size_t at = first; at < end; ++at) {
            weights.push_back(std::max(0.0, 1 - std::fabs((static_cast<double>(at) - center + 0.5) * (1 / stretch))));
            sum += weights.back();
        }
        Filter filter{first, {}};
        for (const double weight : weights) filter.taps.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << BITS)));
        found.push_back(filter);
    }
    return found;
}

// One direction: along `lines` lines, with the strides of a line and of a step along it before and behind.
struct Strides {
    std::size_t line;
    std::size_t step;
};

std::vector<std::uint8_t> pass(const std::vector<std::uint8_t> &data, std::size_t lines, const std::vector<Filter> &filters,
                               std::size_t channels, Strides before, Strides behind) {
    std::vector<std::uint8_t> found(lines * filters.size() * channels);
    for (std::size_t line = 0; line < lines; ++line) {
        for (std::size_t place = 0; place < filters.size(); ++place) {
            const Filter &filter = filters[place];
            for (std::size_t channel = 0; channel < channels; ++channel) {
                std::int32_t sum = 1 << (BITS - 1);
                const std::uint8_t *at = data.data() + line * before.line + filter.first * before.step + channel;
                for (const std::int32_t tap : filter.taps) {
                    sum += *at * tap;
                    at += before.step;
                }
                found[line * behind.line + place * behind.step + channel] = static_cast<std::uint8_t>(std::min(255, sum >> BITS));
            }
        }
    }
    return found;
}

Picture across(const Picture &picture, std::size_t width) {
    if (width == picture.width) return picture;
    const std::size_t height = picture.height, channels = picture.channels;
    const Strides before = {picture.width * channels, channels}, behind = {width * channels, channels};
    return {width, height, channels, pass(picture.data, height, filters(picture.width, width), channels, before, behind)};
}

Picture down(const Picture &picture, std::size_t height) {
    if (height == picture.height) return picture;
    const std::size_t width = picture.width, channels = picture.channels;
    const Strides strides = {channels, width * channels};
    return {width, height, channels, pass(picture.data, width, filters(picture.height, height), channels, strides, strides)};
}

}  // namespace

Picture resized(const Picture &picture, std::size_t width, std::size_t height) {
    return down(across(picture, width), height);
}
