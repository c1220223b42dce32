// One size, one order of channels, scaled.
#include <algorithm>
#include <cstring>
#include <string>

#include "about.h"
#include "decode.h"
#include "prepare.h"
#include "resize.h"

namespace {

const std::string ORDER = preparation::channels;

// The channels that the network takes. Gray is ITU-R 601-2's luma in 16 bits.
Picture as_channels(const Picture &picture) {
    const std::size_t channels = ORDER == "gray" ? 1 : 3;
    Picture found{picture.width, picture.height, channels, std::vector<std::uint8_t>(picture.width * picture.height * channels)};
    for (std::size_t pixel = 0; pixel < picture.width * picture.height; ++pixel) {
        const std::uint8_t *from = picture.data.data() + pixel * picture.channels;
        std::uint8_t *to = found.data.data() + pixel * channels;
        for (std::size_t channel = 0; channel < channels; ++channel) {
            const std::size_t own = ORDER == "bgr" ? 2 - channel : channel;
            to[channel] = picture.channels == 1 ? *from
                          : channels == 1       ? static_cast<std::uint8_t>((from[0] * 19595 + from[1] * 38470 + from[2] * 7471 + 0x8000) >> 16)
                                                : from[own];
        }
    }
    return found;
}

// The picture in the size of the input: stretched, whole with a border, or its middle.
Picture placed(const Picture &picture) {
    const long width = preparation::width, height = preparation::height;
    if (std::string(preparation::fit) == "stretch") return resized(picture, width, height);
    const bool letterbox = std::string(preparation::fit) == "letterbox";
    const auto choose = [&](long one, long other) { return std::max(1L, letterbox ? std::min(one, other) : std::max(one, other)); };
    const auto rounded = [](long long above, long long below) { return static_cast<long>((2 * above + below) / (2 * below)); };
    const long own_width = static_cast<long>(picture.width), own_height = static_cast<long>(picture.height);
    const long wide = choose(width, rounded(static_cast<long long>(own_width) * height, own_height));
    const long high = choose(height, rounded(static_cast<long long>(own_height) * width, own_width));
    const auto half = [](long size) { return size >= 0 ? size / 2 : -((1 - size) / 2); };
    const long left = half(width - wide), top = half(height - high);
    const Picture sized = resized(picture, wide, high);
    const std::size_t channels = sized.channels;
    Picture whole{static_cast<std::size_t>(width), static_cast<std::size_t>(height), channels,
                  std::vector<std::uint8_t>(width * height * channels, static_cast<std::uint8_t>(preparation::pad))};
    const long first = std::max(0L, -left), last = std::min(wide, width - left);
    for (long row = std::max(0L, -top); row < high && row + top < height; ++row) {
        std::memcpy(whole.data.data() + ((row + top) * width + first + left) * channels,
                    sized.data.data() + (row * wide + first) * channels, (last - first) * channels);
    }
    return whole;
}

}  // namespace

Array prepare(const std::string &file) {
    const Picture picture = placed(as_channels(decode(file)));
    const std::size_t pixels = picture.width * picture.height, channels = picture.channels;
    const bool first = std::string(preparation::layout) == "NCHW";
    Array array = first ? zeros(preparation::dtype, {1, channels, picture.height, picture.width})
                        : zeros(preparation::dtype, {1, picture.height, picture.width, channels});
    const auto scale = static_cast<float>(preparation::scale);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::size_t channel = 0; channel < channels; ++channel) {
            const std::uint8_t raw = picture.data[pixel * channels + channel];
            const float scaled = raw * scale;
            const float value = (scaled - static_cast<float>(preparation::mean[channel])) / static_cast<float>(preparation::std[channel]);
            set(array, first ? channel * pixels + pixel : pixel * channels + channel, array.dtype == "uint8" ? raw : value);
        }
    }
    return array;
}
