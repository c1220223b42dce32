// Run the network on a file: app FILE, or [NAME=]FILE for each of several inputs.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <exception>
#include <numeric>
#include <stdexcept>

#include "about.h"
#include "network.h"
#include "prepare.h"

namespace {

constexpr std::size_t BEST = 3;   // How many labels are printed.
constexpr std::size_t SHOWN = 8;  // How many values of an output.

bool is_prepared(std::string file) {
    std::transform(file.begin(), file.end(), file.begin(), [](unsigned char letter) { return std::tolower(letter); });
    return std::any_of(about::suffixes.begin(), about::suffixes.end(), [&](const std::string &suffix) {
        return file.size() > suffix.size() && file.compare(file.size() - suffix.size(), suffix.size(), suffix) == 0;
    });
}

// The inputs in order, from one file that is prepared, or a .npy for each.
std::vector<Array> read(const std::vector<std::string> &words) {
    if (words.size() == 1 && is_prepared(words[0])) return {prepare(words[0])};
    if (words.size() != about::inputs.size()) {
        std::string wanted = "a .npy file for each of";
        for (const Spec &spec : about::inputs) wanted += " " + spec.name;
        throw std::runtime_error("expected " + wanted + ", got " + std::to_string(words.size()) + " files");
    }
    std::vector<Array> found(words.size());
    for (std::size_t place = 0; place < words.size(); ++place) {
        std::size_t input = place;
        std::string file = words[place];
        for (std::size_t each = 0; each < about::inputs.size(); ++each) {
            const std::string start = about::inputs[each].name + "=";
            if (words[place].rfind(start, 0) == 0) {
                input = each;
                file = words[place].substr(start.size());
            }
        }
        if (!found[input].dtype.empty()) throw std::runtime_error("two files for input " + about::inputs[input].name);
        found[input] = read_npy(file);
    }
    return found;
}

void print(const std::vector<Array> &outputs) {
    for (std::size_t place = 0; place < outputs.size(); ++place) {
        const Array &output = outputs[place];
        const std::size_t size = count(output.shape);
        if (place == 0 && !about::labels.empty()) {
            const std::size_t classes = about::labels.size();
            for (std::size_t row = 0; row < size / classes; ++row) {
                std::vector<std::size_t> order(classes);
                std::iota(order.begin(), order.end(), 0);
                const auto score = [&](std::size_t number) { return value(output, row * classes + number); };
                std::stable_sort(order.begin(), order.end(), [&](std::size_t one, std::size_t other) { return score(one) > score(other); });
                for (std::size_t best = 0; best < std::min(BEST, classes); ++best)
                    std::printf("%s  %.4f\n", about::labels[order[best]].c_str(), score(order[best]));
            }
            continue;
        }
        const bool is_real = output.dtype.rfind("float", 0) == 0;
        std::printf("%s: %s %s", about::outputs[place].name.c_str(), output.dtype.c_str(), words(output.shape).c_str());
        for (std::size_t shown = 0; shown < std::min(SHOWN, size); ++shown) std::printf(is_real ? " %.6g" : " %.0f", value(output, shown));
        std::printf("%s\n", size > SHOWN ? " ..." : "");
    }
}

}  // namespace

int main(int argc, char **argv) {
    try {
        const std::vector<Array> inputs = read({argv + 1, argv + argc});
        print(Network().run(inputs));
    } catch (const std::exception &error) {
        std::fprintf(stderr, "error: %s\n", first_line(error.what()).c_str());
        return 2;
    }
    return 0;
}
