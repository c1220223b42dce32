// One rate, one length, its samples or their power in mel bands.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "about.h"
#include "network.h"
#include "prepare.h"

namespace {

constexpr double PI = 3.14159265358979323846;
constexpr double ZEROS = 6;        // Zero crossings of the low-pass filter to each side.
constexpr double ROLL_OFF = 0.99;  // Where it begins, as a share of the lower rate's half.

using Samples = std::vector<double>;

// The mean of the channels in [-1, 1], and how many samples there are a second.
struct Recording {
    Samples samples;
    long long rate = 0;
};

std::uint32_t number(const std::vector<std::uint8_t> &bytes, std::size_t at, int size) {
    std::uint32_t found = 0;
    for (int place = 0; place < size; ++place) found |= static_cast<std::uint32_t>(bytes[at + place]) << (8 * place);
    return found;
}

Recording decode(const std::string &file) {
    const std::vector<std::uint8_t> bytes = read_file(file);
    const auto fail = [&](const char *why) { return std::runtime_error("'" + file + "' cannot be read as a WAV recording: " + why); };
    const auto is = [&](std::size_t at, const char *word) { return !std::memcmp(bytes.data() + at, word, 4); };
    if (bytes.size() < 12 || !is(0, "RIFF") || !is(8, "WAVE")) throw fail("it is none");
    std::size_t channels = 0, width = 0;
    Recording found;
    for (std::size_t at = 12; at + 8 <= bytes.size();) {
        const std::size_t size = number(bytes, at + 4, 4), start = at + 8;
        if (is(at, "fmt ")) {
            if (start + 16 > bytes.size()) break;
            const std::uint32_t kind = number(bytes, start, 2);
            channels = number(bytes, start + 2, 2);
            found.rate = number(bytes, start + 4, 4);
            width = (number(bytes, start + 14, 2) + 7) / 8;
            if ((kind != 1 && kind != 0xfffe) || !channels || !found.rate || width < 1 || width > 4)
                throw fail("expected whole numbers of 8 to 32 bits (PCM)");
        } else if (is(at, "data")) {
            if (!channels || !size || size > bytes.size() - start) break;
            for (std::size_t frame = 0; frame < size / (width * channels); ++frame) {
                double sum = 0;
                for (std::size_t channel = 0; channel < channels; ++channel) {
                    const std::uint32_t raw = number(bytes, start + (frame * channels + channel) * width, static_cast<int>(width));
                    // The bytes of a sample above zeros; those of one byte count from 128.
                    sum += width == 1 ? (raw - 128.0) / 128 : static_cast<std::int32_t>(raw << (8 * (4 - width))) / 2147483648.0;
                }
                found.samples.push_back(sum / static_cast<double>(channels));
            }
            return found;
        }
        at = start + size + size % 2;
    }
    throw fail("it is cut short");
}

// At another rate: by a sinc low-pass filter under a Hann window, one for each output of a period.
Samples resampled(const Samples &samples, long long rate, long long wanted) {
    if (rate == wanted) return samples;
    const long long common = std::gcd(rate, wanted), step = rate / common, phases = wanted / common;
    const double cutoff = ROLL_OFF * static_cast<double>(std::min(step, phases));
    const auto width = static_cast<long long>(std::ceil(ZEROS * static_cast<double>(step) / cutoff));
    const long long taps = 2 * width + step, size = static_cast<long long>(samples.size());
    Samples filters;
    for (long long phase = 0; phase < phases; ++phase) {
        for (long long tap = 0; tap < taps; ++tap) {
            const double place = static_cast<double>(tap - width) / static_cast<double>(step) - static_cast<double>(phase) / static_cast<double>(phases);
            const double time = std::clamp(place * cutoff, -ZEROS, ZEROS);
            const double sinc = time == 0 ? 1 : std::sin(PI * time) / (PI * time);
            const double hann = std::cos(time * PI / ZEROS / 2);
            filters.push_back(sinc * hann * hann * cutoff / static_cast<double>(step));
        }
    }
    Samples found;
    for (long long place = 0; place < (size * phases + step - 1) / step; ++place) {
        const double *filter = filters.data() + place % phases * taps;
        const long long first = place / phases * step - width;
        double sum = 0;
        for (long long tap = std::max(0LL, -first); tap < taps && first + tap < size; ++tap) sum += filter[tap] * samples[first + tap];
        found.push_back(sum);
    }
    return found;
}

// A sample; in front and behind, the recording is mirrored where it is long enough, else silent.
double at(const Samples &mono, long long place, long long half) {
    const auto size = static_cast<long long>(mono.size());
    if (place < 0 || place >= size) {
        if (size <= half) return 0;
        place = place < 0 ? -place : 2 * (size - 1) - place;
    }
    return place < 0 || place >= size ? 0 : mono[place];
}

// The logarithms of the power in each band, bands or frames first.
Samples log_mel(const Samples &mono) {
    const auto window = static_cast<std::size_t>(preparation::window), hop = static_cast<std::size_t>(preparation::hop);
    const auto mels = static_cast<std::size_t>(preparation::mels);
    const std::size_t half = window / 2, frames = std::max<std::size_t>(1, mono.size() / hop);
    const Array bands = read_npy(beside_model("bands.npy"));
    Samples found(mels * frames), cosines, sines, own(window), power(half + 1);
    for (std::size_t place = 0; place < window; ++place) {
        cosines.push_back(std::cos(2 * PI * static_cast<double>(place) / static_cast<double>(window)));
        sines.push_back(std::sin(2 * PI * static_cast<double>(place) / static_cast<double>(window)));
    }
    for (std::size_t frame = 0; frame < frames; ++frame) {
        for (std::size_t place = 0; place < window; ++place) {
            const auto sample = static_cast<long long>(frame * hop + place) - static_cast<long long>(half);
            own[place] = (0.5 - 0.5 * cosines[place]) * at(mono, sample, static_cast<long long>(half));
        }
        for (std::size_t frequency = 0; frequency <= half; ++frequency) {
            double real = 0, imaginary = 0;
            for (std::size_t place = 0, angle = 0; place < window; ++place, angle = (angle + frequency) % window) {
                real += own[place] * cosines[angle];
                imaginary += own[place] * sines[angle];
            }
            power[frequency] = real * real + imaginary * imaginary;
        }
        for (std::size_t band = 0; band < mels; ++band) {
            double sum = 0;
            for (std::size_t frequency = 0; frequency <= half; ++frequency) sum += value(bands, band * (half + 1) + frequency) * power[frequency];
            found[preparation::frames_first ? frame * mels + band : band * frames + frame] = std::max(sum, 1e-10);
        }
    }
    const bool natural = std::string(preparation::log) == "natural";
    for (double &each : found) each = natural ? std::log(each) : std::log10(each);
    if (!natural) {
        const double floor = *std::max_element(found.begin(), found.end()) - 8;
        for (double &each : found) each = (std::max(each, floor) + 4) / 4;
    }
    return found;
}

}  // namespace

Array prepare(const std::string &file) {
    const Recording recording = decode(file);
    Samples mono = resampled(recording.samples, recording.rate, preparation::rate);
    mono.resize(static_cast<std::size_t>(preparation::length));
    const Samples values = std::string(preparation::features) == "log-mel" ? log_mel(mono) : mono;
    std::vector<std::size_t> shape = {1};
    for (const long long size : preparation::shape) shape.push_back(static_cast<std::size_t>(size));
    Array array = zeros(preparation::dtype, shape);
    if (values.size() != count(shape)) throw std::runtime_error("'" + file + "' does not fill the input");
    for (std::size_t place = 0; place < values.size(); ++place) set(array, place, values[place]);
    return array;
}
