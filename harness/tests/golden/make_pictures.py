"""Writes what PIL makes of pictures: resize.json, decode.json, decode/*, layout.json, prepare.json.

Run once, by hand, in an environment with pillow 13.0.0, numpy and transformers 5.23.0 (no torch is needed):
    python make_pictures.py
The tests read only the files written.
"""

import hashlib
import io
import json
import pathlib

import numpy as np
from PIL import Image, __version__ as pillow

HERE = pathlib.Path(__file__).parent
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}
# Width and height before and after: the same, one axis only, up, down, by one, single pixels, primes, long strips.
SIZES = [
    (1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (2, 2, 1, 3), (2, 3, 3, 2), (1, 9, 1, 4), (9, 1, 4, 1),
    (3, 3, 3, 3), (5, 7, 5, 14), (5, 7, 15, 7), (17, 13, 16, 14), (13, 17, 14, 16), (31, 37, 64, 64),
    (37, 31, 11, 97), (64, 48, 256, 192), (256, 192, 64, 64), (100, 100, 99, 101), (101, 99, 100, 100),
    (640, 3, 50, 50), (3, 640, 50, 50), (1000, 1, 8, 8), (1, 1000, 8, 8), (8, 8, 1000, 1), (8, 8, 1, 1000),
    (257, 129, 512, 512), (512, 512, 257, 129), (320, 240, 1024, 768), (1024, 768, 512, 512), (4, 4, 2, 2),
    (1023, 5, 341, 5), (341, 5, 1023, 5), (200, 150, 128, 96), (61, 89, 53, 83),
    # At the border between Pillow 13's two orders of the passes: rows lost = 2 * columns lost, and one more.
    (200, 200, 180, 160), (200, 200, 180, 159), (100, 300, 50, 200), (100, 300, 50, 199), (97, 161, 154, 256),
    (154, 256, 64, 64), (50, 40, 60, 39), (50, 40, 60, 41), (40, 50, 39, 60), (300, 4, 200, 3), (300, 4, 299, 1),
]
PATTERNS = ["noise", "extremes"]


def splitmix(seed):
    """64-bit values of the splitmix64 generator."""
    mask = (1 << 64) - 1
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def picture(width, height, pattern):
    """RGB of which every byte comes from the generator; "extremes" keeps 0 and 255 only, so that kernels overshoot."""
    values = splitmix(width * 65536 + height)
    data = bytes(next(values) >> 56 for _ in range(3 * width * height))
    array = np.frombuffer(data, np.uint8).reshape(height, width, 3)
    if pattern == "extremes":
        array = np.where(array < 128, 0, 255).astype(np.uint8)
    return Image.fromarray(array)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def resize():
    cases = []
    for width, height, to_width, to_height in SIZES:
        for pattern in PATTERNS:
            source = picture(width, height, pattern)
            for name, kernel in FILTERS.items():
                result = source.resize((to_width, to_height), kernel)
                cases.append({"from": [width, height], "to": [to_width, to_height], "pattern": pattern,
                              "filter": name, "sha256": digest(result.tobytes())})
    return cases


def decode():
    """Small files of many kinds, and the RGB that `convert("RGB")` gives."""
    folder = HERE / "decode"
    folder.mkdir(exist_ok=True)
    color = picture(19, 13, "noise")
    smooth = picture(3, 2, "noise").resize((48, 32), Image.Resampling.BICUBIC)
    gray = color.convert("L")
    alpha = color.convert("RGBA")
    alpha.putalpha(gray)
    gray_alpha = Image.merge("LA", (gray, color.getchannel(0)))
    deep = np.asarray(gray).astype(np.uint16) * 3
    few = color.quantize(16)
    files = {
        "rgb.png": (color, {}), "rgba.png": (alpha, {}), "gray.png": (gray, {}), "gray_alpha.png": (gray_alpha, {}),
        "bilevel.png": (gray.convert("1"), {}), "palette.png": (few, {}),
        "palette_clear.png": (few, {"transparency": 3}), "gray16.png": (Image.fromarray(deep), {}),
        "rgb.bmp": (color, {}), "palette.bmp": (few, {}), "gray.bmp": (gray, {}), "palette.gif": (few, {}),
        "palette_clear.gif": (few, {"transparency": 3}), "rgba.webp": (alpha, {"lossless": True, "exact": True}),
        "rgb.webp": (color, {"lossless": True}), "color.jpg": (smooth, {"quality": 95, "subsampling": 0}),
        "gray.jpg": (smooth.convert("L"), {"quality": 95}), "cmyk.jpg": (smooth.convert("CMYK"), {"quality": 95}),
        "progressive.jpg": (smooth, {"quality": 95, "subsampling": 0, "progressive": True}),
    }
    exif = Image.Exif()
    exif[0x0112] = 6
    files["turned.jpg"] = (smooth, {"quality": 95, "subsampling": 0, "exif": exif})
    for name, (image, options) in files.items():
        image.save(folder / name, **options)
    # PIL writes no 16-bit colour.
    (folder / "rgb16.png").write_bytes(png16(np.asarray(color), 2))
    (folder / "rgba16.png").write_bytes(png16(np.asarray(alpha), 6))
    (folder / "gray_alpha16.png").write_bytes(png16(np.asarray(gray_alpha), 4))
    cases = []
    for path in sorted(folder.iterdir()):
        image = Image.open(path)
        rgb = image.convert("RGB")
        cases.append({"file": path.name, "mode": image.mode, "size": list(rgb.size), "rgb": rgb.tobytes().hex()})
    return cases


def png16(array, kind):
    """A PNG of 16 bits a channel; the low byte is not the high one, so that the rounding shows."""
    import struct
    import zlib

    wide = array.astype(np.uint16) * 256 + (255 - array)
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + wide[y].astype(">u2").tobytes() for y in range(height))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def processor(edge, tile, **options):
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    return Idefics3ImageProcessorPil(size={"longest_edge": edge}, max_image_size={"longest_edge": tile}, **options)


def layout():
    """Rows and columns of many picture sizes, at small settings of the same proportion and at uneven ones."""
    sizes = [(640, 480), (1920, 1080), (480, 640), (1024, 1024), (1, 1), (1, 300), (300, 1), (2, 301), (301, 2),
             (99, 100), (100, 99), (333, 77), (77, 333), (255, 256), (256, 255), (128, 127), (1000, 501), (501, 1000)]
    cases = []
    for edge, tile in [(256, 64), (250, 64), (100, 33), (64, 64), (60, 32)]:
        for width, height in sizes:
            result = processor(edge, tile)(
                np.zeros((height, width, 3), np.uint8), return_row_col_info=True, input_data_format="channels_last",
                return_tensors="np")
            cases.append({"edge": edge, "tile": tile, "picture": [width, height], "rows": result["rows"][0][0],
                          "cols": result["cols"][0][0], "frames": result["pixel_values"].shape[1]})
    return cases


def prepare():
    """Hashes of prepared pictures, [count, side, side, 3] as f32 little endian."""
    cases = []
    for width, height, edge, tile, split in [
        (640, 480, 2048, 512, True), (97, 161, 256, 64, True), (301, 2, 256, 64, True), (2, 301, 256, 64, True),
        (1, 1, 256, 64, True), (97, 161, 256, 64, False), (40, 30, 64, 64, True), (120, 99, 250, 64, True),
    ]:
        result = processor(edge, tile, do_image_splitting=split)(
            picture(width, height, "noise"), return_row_col_info=True, return_tensors="np")
        pixels = np.ascontiguousarray(result["pixel_values"][0].transpose(0, 2, 3, 1).astype("<f4"))
        cases.append({"picture": [width, height], "edge": edge, "tile": tile, "split": split,
                      "rows": result["rows"][0][0], "cols": result["cols"][0][0], "sha256": digest(pixels.tobytes())})
    return cases


def write(name, cases):
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / name).write_text(f'{{"pillow": "{pillow}", "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    write("resize.json", resize())
    write("decode.json", decode())
    write("layout.json", layout())
    write("prepare.json", prepare())
