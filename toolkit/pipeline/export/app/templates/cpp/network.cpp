#include "network.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <openvino/openvino.hpp>
#include <sstream>
#include <stdexcept>

#include "about.h"

namespace {

const std::vector<std::pair<std::string, ov::element::Type>> TYPES = {
    {"float16", ov::element::f16}, {"float32", ov::element::f32}, {"float64", ov::element::f64}, {"bool", ov::element::boolean},
    {"int8", ov::element::i8},     {"int16", ov::element::i16},   {"int32", ov::element::i32},   {"int64", ov::element::i64},
    {"uint8", ov::element::u8},    {"uint16", ov::element::u16},  {"uint32", ov::element::u32},  {"uint64", ov::element::u64},
};

ov::element::Type type_of(const std::string &dtype) {
    for (const auto &type : TYPES)
        if (type.first == dtype) return type.second;
    throw std::runtime_error("no type " + dtype);
}

std::string name_of(const ov::element::Type &wanted) {
    for (const auto &type : TYPES)
        if (type.second == wanted) return type.first;
    throw std::runtime_error("an output has the type " + wanted.get_type_name());
}

void check(const std::vector<Array> &inputs) {
    if (inputs.size() != about::inputs.size()) {
        throw std::runtime_error("expected " + std::to_string(about::inputs.size()) + " inputs, got " + std::to_string(inputs.size()));
    }
    std::map<long long, std::size_t> free;
    for (std::size_t place = 0; place < inputs.size(); ++place) {
        const Spec &spec = about::inputs[place];
        const Array &array = inputs[place];
        bool fits = array.dtype == spec.dtype && array.shape.size() == spec.shape.size();
        std::string wanted;
        for (std::size_t axis = 0; axis < spec.shape.size(); ++axis) {
            const long long size = spec.shape[axis];
            wanted += (axis ? ", " : "") + (size < 0 ? "any" : std::to_string(size));
            if (!fits) continue;
            const std::size_t own = array.shape[axis];
            fits = own > 0 && own == (size < 0 ? free.emplace(size, own).first->second : static_cast<std::size_t>(size));
        }
        if (!fits) {
            throw std::runtime_error("input " + spec.name + ": expected " + spec.dtype + " [" + wanted + "], got " + array.dtype + " " +
                                     words(array.shape));
        }
    }
}

}  // namespace

struct Network::Engine {
    ov::Core core;  // Lives longer than what it has compiled.
    ov::InferRequest request;
};

Network::Network() : engine(std::make_unique<Engine>()) {
    ov::Core &core = engine->core;
    // Else some processors compute in bfloat16 whatever the file says.
    const auto able = core.get_property("CPU", ov::device::capabilities);
    const auto has = [&](const char *name) { return std::find(able.begin(), able.end(), name) != able.end(); };
    const std::string wanted = about::float_type;
    const ov::element::Type precision = wanted == "f16" && has("FP16")    ? ov::element::f16
                                        : wanted == "bf16" && has("BF16") ? ov::element::bf16
                                                                          : ov::element::f32;
    auto compiled = core.compile_model(beside_model(about::model), "CPU", ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                                       ov::hint::inference_precision(precision));
    engine->request = compiled.create_infer_request();
}

Network::~Network() = default;

std::vector<Array> Network::run(const std::vector<Array> &inputs) {
    check(inputs);
    ov::InferRequest &request = engine->request;
    for (std::size_t place = 0; place < inputs.size(); ++place) {
        ov::Tensor tensor(type_of(inputs[place].dtype), ov::Shape(inputs[place].shape));
        std::memcpy(tensor.data(), inputs[place].bytes.data(), inputs[place].bytes.size());
        request.set_input_tensor(place, tensor);
    }
    request.infer();
    std::vector<Array> outputs;
    for (std::size_t place = 0; place < about::outputs.size(); ++place) {
        const ov::Tensor tensor = request.get_output_tensor(place);
        const auto *first = static_cast<const std::uint8_t *>(tensor.data());
        outputs.push_back({name_of(tensor.get_element_type()), tensor.get_shape(), {first, first + tensor.get_byte_size()}});
    }
    return outputs;
}

std::string beside_model(const std::string &name) {
    return std::string(MODEL_DIR) + "/" + name;
}

std::string first_line(const std::string &text) {
    std::istringstream lines(text);
    std::string line, first;
    while (std::getline(lines, line)) {
        const bool place = line.rfind("Exception from ", 0) == 0 || line.rfind("Check '", 0) == 0;
        if (first.empty() || !place) first = line;
        if (!line.empty() && !place) break;
    }
    return first;
}
