// Is the example prepared and answered as where this program was made?
#include <cmath>
#include <cstdio>
#include <exception>
#include <stdexcept>

#include "about.h"
#include "network.h"
#include "prepare.h"

namespace {

std::string example(const std::string &name) {
    return beside_model("example/" + name);
}

std::vector<Array> all(const std::string &kind, std::size_t number) {
    std::vector<Array> arrays;
    for (std::size_t place = 0; place < number; ++place) arrays.push_back(read_npy(example(kind + "/" + std::to_string(place) + ".npy")));
    return arrays;
}

void check_alike(const Array &found, const Array &expected, const std::string &what) {
    if (found.dtype == expected.dtype && found.shape == expected.shape) return;
    throw std::runtime_error(what + ": expected " + expected.dtype + " " + words(expected.shape) + ", got " + found.dtype + " " +
                             words(found.shape));
}

void the_example_is_prepared_alike() {
    if (!*about::example) return;
    const Array found = prepare(example(about::example));
    const Array expected = read_npy(example("prepared.npy"));
    check_alike(found, expected, "the prepared input");
    for (std::size_t place = 0; place < count(expected.shape); ++place) {
        const double off = std::fabs(value(found, place) - value(expected, place));
        if (!(off <= about::prepared)) throw std::runtime_error("the prepared input is off by " + std::to_string(off));
    }
}

void the_outputs_are_those_expected() {
    const std::vector<Array> found = Network().run(all("inputs", about::inputs.size()));
    const std::vector<Array> expected = all("outputs", about::outputs.size());
    for (std::size_t output = 0; output < expected.size(); ++output) {
        check_alike(found[output], expected[output], about::outputs[output].name);
        bool within = true;
        double noise = 0, signal = 0;
        for (std::size_t place = 0; place < count(expected[output].shape); ++place) {
            const double wanted = value(expected[output], place);
            const double off = std::fabs(value(found[output], place) - wanted);
            within = within && off <= about::atol + about::rtol * std::fabs(wanted);
            noise += off * off;
            signal += wanted * wanted;
        }
        const double ratio = 10 * std::log10(signal / noise);
        if (!within && !(ratio >= about::sqnr_db)) throw std::runtime_error(about::outputs[output].name + ": " + std::to_string(ratio) + " dB");
    }
}

}  // namespace

int main() {
    try {
        the_example_is_prepared_alike();
        the_outputs_are_those_expected();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "failed: %s\n", first_line(error.what()).c_str());
        return 1;
    }
    std::puts("passed");
    return 0;
}
