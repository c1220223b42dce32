#include "arrays.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <openvino/core/type/float16.hpp>
#include <stdexcept>

namespace {

const std::map<std::string, std::pair<std::string, std::size_t>> TYPES = {
    {"f2", {"float16", 2}}, {"f4", {"float32", 4}}, {"f8", {"float64", 8}}, {"b1", {"bool", 1}},
    {"i1", {"int8", 1}},    {"i2", {"int16", 2}},   {"i4", {"int32", 4}},   {"i8", {"int64", 8}},
    {"u1", {"uint8", 1}},   {"u2", {"uint16", 2}},  {"u4", {"uint32", 4}},  {"u8", {"uint64", 8}},
};

// What stands behind a key of the header, up to one of some characters.
std::string behind(const std::string &header, const std::string &key, const char *ends) {
    const std::size_t found = header.find("'" + key + "':");
    if (found == std::string::npos) return "";
    const std::size_t first = header.find_first_not_of(" ('", found + key.size() + 3);
    const std::size_t last = first == std::string::npos ? first : header.find_first_of(ends, first);
    return last == std::string::npos ? "" : header.substr(first, last - first);
}

template <typename T>
T element(const Array &array, std::size_t place) {
    T found;
    std::memcpy(&found, array.bytes.data() + place * sizeof(T), sizeof(T));
    return found;
}

template <typename T>
void put(Array &array, std::size_t place, T number) {
    std::memcpy(array.bytes.data() + place * sizeof(T), &number, sizeof(T));
}

}  // namespace

std::vector<std::uint8_t> read_file(const std::string &file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error("'" + file + "' cannot be read: " + std::strerror(errno));
    std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (stream.bad() || bytes.empty()) throw std::runtime_error("'" + file + "' cannot be read: it is empty, or no file");
    return bytes;
}

Array read_npy(const std::string &file) {
    const std::vector<std::uint8_t> bytes = read_file(file);
    const auto fail = [&](const char *why) { return std::runtime_error("'" + file + "' cannot be read as .npy: " + why); };
    if (bytes.size() < 12 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0) throw fail("it is none");
    const bool wide = bytes[6] > 1;
    const std::size_t start = wide ? 12 : 10;
    const std::size_t length = bytes[8] + 256u * bytes[9] + (wide ? 65536u * bytes[10] + 16777216u * bytes[11] : 0u);
    if (length > bytes.size() - start) throw fail("it is cut short");
    const std::string header(bytes.begin() + start, bytes.begin() + start + length);
    const std::string kind = behind(header, "descr", "'");
    const auto type = TYPES.find(kind.empty() ? kind : kind.substr(1));
    if (kind.empty() || kind[0] == '>' || type == TYPES.end()) throw fail("expected numbers");
    if (behind(header, "fortran_order", ",}") != "False") throw fail("expected C order: numpy.ascontiguousarray(x)");
    Array array{type->second.first, {}, {}};
    std::size_t size = type->second.second;
    const std::size_t left = bytes.size() - start - length;
    const std::string sizes = behind(header, "shape", ")");
    for (std::size_t at = 0; at < sizes.size();) {
        const std::size_t comma = std::min(sizes.find(',', at), sizes.size());
        const std::string word = sizes.substr(at, comma - at);
        if (word.find_first_of("0123456789") != std::string::npos) {
            array.shape.push_back(std::strtoull(word.c_str(), nullptr, 10));
            if (array.shape.back() > left) throw fail("it is cut short");
            size *= array.shape.back();
            if (size > left) throw fail("it is cut short");
        }
        at = comma + 1;
    }
    if (size > left) throw fail("it is cut short");
    array.bytes.assign(bytes.begin() + start + length, bytes.begin() + start + length + size);
    return array;
}

std::size_t count(const std::vector<std::size_t> &shape) {
    std::size_t product = 1;
    for (const std::size_t size : shape) product *= size;
    return product;
}

std::size_t width(const std::string &dtype) {
    for (const auto &type : TYPES)
        if (type.second.first == dtype) return type.second.second;
    return 0;
}

double value(const Array &array, std::size_t place) {
    const std::string &dtype = array.dtype;
    if (dtype == "float32") return element<float>(array, place);
    if (dtype == "float64") return element<double>(array, place);
    if (dtype == "float16") return ov::float16::from_bits(element<std::uint16_t>(array, place));
    if (dtype == "int8") return element<std::int8_t>(array, place);
    if (dtype == "int16") return element<std::int16_t>(array, place);
    if (dtype == "int32") return element<std::int32_t>(array, place);
    if (dtype == "int64") return static_cast<double>(element<std::int64_t>(array, place));
    if (dtype == "uint16") return element<std::uint16_t>(array, place);
    if (dtype == "uint32") return element<std::uint32_t>(array, place);
    if (dtype == "uint64") return static_cast<double>(element<std::uint64_t>(array, place));
    return array.bytes[place];
}

void set(Array &array, std::size_t place, double number) {
    if (array.dtype == "float16") put(array, place, ov::float16(static_cast<float>(number)).to_bits());
    if (array.dtype == "float32") put(array, place, static_cast<float>(number));
    if (array.dtype == "float64") put(array, place, number);
    if (array.dtype == "uint8") put(array, place, static_cast<std::uint8_t>(number));
    if (array.dtype == "int32") put(array, place, static_cast<std::int32_t>(number));
    if (array.dtype == "int64") put(array, place, static_cast<std::int64_t>(number));
}

Array zeros(const std::string &dtype, const std::vector<std::size_t> &shape) {
    return {dtype, shape, std::vector<std::uint8_t>(count(shape) * width(dtype))};
}

std::string words(const std::vector<std::size_t> &shape) {
    std::string text;
    for (const std::size_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    return "[" + text + "]";
}
