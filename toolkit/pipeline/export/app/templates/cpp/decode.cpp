#include "decode.h"

#include <cctype>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include "about.h"
#include "arrays.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

// Both libraries leave by long jumps, which pass over destructors: what owns memory lives in the caller, and so does the problem's text.

// Whether there is memory for a picture of this size, and it has one.
bool allowed(std::size_t width, std::size_t height, std::string &problem) {
    if (width && height && width <= static_cast<std::size_t>(preparation::most_pixels) / height) return true;
    problem = std::to_string(width) + " x " + std::to_string(height) + " pixels, expected at most " + std::to_string(preparation::most_pixels);
    return false;
}

struct Source {
    const Bytes &bytes;
    std::size_t at;
};

void png_failed(png_structp png, png_const_charp message) {
    *static_cast<std::string *>(png_get_error_ptr(png)) = message;
    png_longjmp(png, 1);
}

void png_warned(png_structp, png_const_charp) {}

void png_next(png_structp png, png_bytep to, png_size_t size) {
    Source &source = *static_cast<Source *>(png_get_io_ptr(png));
    if (size > source.bytes.size() - source.at) png_error(png, "it is cut short");
    std::memcpy(to, source.bytes.data() + source.at, size);
    source.at += size;
}

void from_png(Source &source, Picture &picture, std::vector<png_bytep> &rows, std::string &problem) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &problem, png_failed, png_warned);
    png_infop info = png ? png_create_info_struct(png) : nullptr;
    if (!info) problem = "no memory";
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, nullptr);
        return;
    }
    png_set_read_fn(png, &source, png_next);
    png_read_info(png, info);
    if (png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) == 16) {
        problem = "its gray has 16 bits, expected 8";
    } else if (allowed(png_get_image_width(png, info), png_get_image_height(png, info), problem)) {
        png_set_expand(png);
        png_set_strip_16(png);
        png_set_strip_alpha(png);
        png_set_interlace_handling(png);
        png_read_update_info(png, info);
        picture.width = png_get_image_width(png, info);
        picture.height = png_get_image_height(png, info);
        picture.channels = png_get_channels(png, info);
        const std::size_t line = png_get_rowbytes(png, info);
        picture.data.resize(line * picture.height);
        for (std::size_t row = 0; row < picture.height; ++row) rows.push_back(picture.data.data() + row * line);
        png_read_image(png, rows.data());
        png_read_end(png, nullptr);
    }
    png_destroy_read_struct(&png, &info, nullptr);
}

struct JpegErrors {
    jpeg_error_mgr base;
    std::jmp_buf jump;
    std::string *problem;
};

void jpeg_failed(j_common_ptr about) {
    auto *errors = reinterpret_cast<JpegErrors *>(about->err);
    char message[JMSG_LENGTH_MAX];
    about->err->format_message(about, message);
    *errors->problem = message;
    std::longjmp(errors->jump, 1);
}

// Warnings are passed over but that of the end, behind which the library goes on with gray.
void jpeg_warned(j_common_ptr about, int level) {
    if (level < 0 && about->err->msg_code == JWRN_JPEG_EOF) jpeg_failed(about);
}

void from_jpeg(const Bytes &bytes, Picture &picture, JpegErrors &errors, std::string &problem) {
    jpeg_decompress_struct jpeg;
    jpeg.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = jpeg_failed;
    errors.base.emit_message = jpeg_warned;
    errors.problem = &problem;
    jpeg_create_decompress(&jpeg);
    if (setjmp(errors.jump)) {
        jpeg_destroy_decompress(&jpeg);
        return;
    }
    jpeg_mem_src(&jpeg, bytes.data(), bytes.size());
    jpeg_read_header(&jpeg, TRUE);
    if (jpeg.num_components == 4) {
        problem = "its colours are CMYK, expected gray or RGB";
    } else if (allowed(jpeg.image_width, jpeg.image_height, problem)) {
        jpeg.out_color_space = jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
        jpeg_start_decompress(&jpeg);
        picture.width = jpeg.output_width;
        picture.height = jpeg.output_height;
        picture.channels = jpeg.output_components;
        picture.data.resize(picture.width * picture.height * picture.channels);
        while (jpeg.output_scanline < jpeg.output_height) {
            JSAMPROW row = picture.data.data() + jpeg.output_scanline * picture.width * picture.channels;
            jpeg_read_scanlines(&jpeg, &row, 1);
        }
        jpeg_finish_decompress(&jpeg);
    }
    jpeg_destroy_decompress(&jpeg);
}

// The next number of the header, behind blanks and comments; 0 where there is none.
std::size_t number(const Bytes &bytes, std::size_t &at) {
    while (at < bytes.size() && (std::isspace(bytes[at]) || bytes[at] == '#')) {
        if (bytes[at] == '#')
            while (at < bytes.size() && bytes[at] != '\n') ++at;
        else
            ++at;
    }
    std::size_t found = 0;
    for (; at < bytes.size() && std::isdigit(bytes[at]) && found < 100000000; ++at) found = 10 * found + (bytes[at] - '0');
    return found;
}

void from_ppm(const Bytes &bytes, Picture &picture, std::string &problem) {
    std::size_t at = 2;
    picture.channels = bytes[1] == '6' ? 3 : 1;
    picture.width = number(bytes, at);
    picture.height = number(bytes, at);
    if (number(bytes, at) != 255) {
        problem = "expected P5 or P6 with values up to 255";
    } else if (allowed(picture.width, picture.height, problem)) {
        const std::size_t size = picture.width * picture.height * picture.channels;
        if (at >= bytes.size() || size > bytes.size() - at - 1)
            problem = "it is cut short";
        else
            picture.data.assign(bytes.begin() + at + 1, bytes.begin() + at + 1 + size);
    }
}

}  // namespace

Picture decode(const std::string &file) {
    const Bytes bytes = read_file(file);
    const auto begins = [&](const char *start) { return bytes.size() > std::strlen(start) && !std::memcmp(bytes.data(), start, std::strlen(start)); };
    Picture picture;
    std::string problem;
    if (begins("\x89PNG")) {
        Source source{bytes, 0};
        std::vector<png_bytep> rows;
        from_png(source, picture, rows, problem);
    } else if (begins("\xff\xd8")) {
        JpegErrors errors;
        from_jpeg(bytes, picture, errors, problem);
    } else if (begins("P5") || begins("P6")) {
        from_ppm(bytes, picture, problem);
    } else {
        problem = "expected PNG, JPEG, or PPM in 8 bits";
    }
    if (!problem.empty()) throw std::runtime_error("'" + file + "' cannot be read as a picture: " + problem);
    return picture;
}
