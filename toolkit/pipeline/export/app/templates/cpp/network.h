// The network.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "arrays.h"

class Network {
public:
    Network();
    ~Network();

    // The outputs for the inputs, both in the order of about.h; throws std::runtime_error for an input of another type or shape.
    std::vector<Array> run(const std::vector<Array> &inputs);

private:
    struct Engine;
    std::unique_ptr<Engine> engine;
};

// A file of the model's folder.
std::string beside_model(const std::string &name);

// What an error says in one line; OpenVINO begins with where in its sources it was raised.
std::string first_line(const std::string &text);
