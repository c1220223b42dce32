// The numbers of a text's pieces, cut and filled up to the input's length.
#include <algorithm>
#include <stdexcept>
#include <unordered_map>

#include "about.h"
#include "prepare.h"

namespace {

// The characters of a text in UTF-8; throws for what is none.
std::vector<std::string> characters(const std::string &text) {
    std::vector<std::string> found;
    for (std::size_t at = 0; at < text.size();) {
        const auto first = static_cast<unsigned char>(text[at]);
        const std::size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
        bool whole = size && at + size <= text.size();
        for (std::size_t next = 1; whole && next < size; ++next) whole = (text[at + next] & 0xc0) == 0x80;
        if (!whole) throw std::runtime_error("the file is no text in UTF-8");
        found.push_back(text.substr(at, size));
        at += size;
    }
    return found;
}

// As Python splits and strips.
bool is_blank(const std::string &character) {
    static const std::vector<std::string> wide = {
        "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
        "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
    };
    const char only = character[0];
    if (character.size() == 1) return (only >= 9 && only <= 13) || (only >= 28 && only <= 32);
    return std::find(wide.begin(), wide.end(), character) != wide.end();
}

std::vector<std::string> pieces(const std::string &text) {
    std::vector<std::string> all = characters(text);
    while (!all.empty() && is_blank(all.back())) all.pop_back();
    all.erase(all.begin(), std::find_if_not(all.begin(), all.end(), is_blank));
    // Pairs of a character and its lower case; what is in no token either way is not among them.
    for (std::string &character : all)
        for (std::size_t pair = 0; pair + 1 < preparation::lowered.size(); pair += 2)
            if (preparation::lowered[pair] == character) {
                character = preparation::lowered[pair + 1];
                break;
            }
    std::vector<std::string> found;
    if (std::string(preparation::split) == "characters") {
        for (const std::string &character : all)
            for (const std::string &each : characters(character)) found.push_back(each);
        return found;
    }
    bool inside = false;
    for (const std::string &character : all) {
        const bool blank = is_blank(character);
        if (!blank && !inside) found.emplace_back();
        if (!blank) found.back() += character;
        inside = !blank;
    }
    return found;
}

}  // namespace

Array prepare(const std::string &file) {
    const std::vector<std::uint8_t> bytes = read_file(file);
    std::unordered_map<std::string, long long> numbers;
    for (std::size_t place = 0; place < preparation::tokens.size(); ++place)
        numbers[preparation::tokens[place]] = static_cast<long long>(place) + preparation::first;
    const auto length = static_cast<std::size_t>(preparation::length);
    Array array = zeros(preparation::dtype, {1, length});
    for (std::size_t place = 0; place < length; ++place) set(array, place, static_cast<double>(preparation::pad));
    std::size_t place = 0;
    for (const std::string &piece : pieces(std::string(bytes.begin(), bytes.end()))) {
        const auto found = numbers.find(piece);
        const long long number = found == numbers.end() ? preparation::unknown : found->second;
        if (number < 0) throw std::runtime_error("'" + piece + "' is none of the " + std::to_string(numbers.size()) + " tokens");
        if (place < length) set(array, place++, static_cast<double>(number));
    }
    return array;
}
