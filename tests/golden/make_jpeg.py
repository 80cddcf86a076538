#!/usr/bin/python3
"""Write jpeg/*.jpg and, beside each, the pixels Pillow decodes it to, as PNG.

Run in this folder with python3-pil and libjpeg-turbo-progs.  Made with Pillow
9.4.0 and libjpeg-turbo 2.1.5.  The picture is a formula: smooth colour ramps
with a disc, 45 x 37 pixels, so that neither side is a whole number of blocks.
Files named unsupported_* are valid JPEGs of kinds that are not read, and have
no PNG.
"""
import os
import subprocess

from PIL import Image

W, H = 45, 37
os.makedirs("jpeg", exist_ok=True)


def picture():
    image = Image.new("RGB", (W, H))
    for y in range(H):
        for x in range(W):
            inside = (x - 20) ** 2 + (y - 17) ** 2 < 120
            image.putpixel((x, y), (200, 40, 60) if inside else
                           (5 * x, 6 * y, 255 - 3 * x - 2 * y))
    return image


def tool(name, arguments, data):
    return subprocess.run([name] + arguments, input=data, check=True,
                          stdout=subprocess.PIPE).stdout


def write(name, data, pixels=True):
    with open(f"jpeg/{name}.jpg", "wb") as out:
        out.write(data)
    if pixels:
        Image.open(f"jpeg/{name}.jpg").save(f"jpeg/{name}.png")


rgb = picture()
rgb.save("jpeg/source.ppm")
rgb.convert("L").save("jpeg/source.pgm")
colour = open("jpeg/source.ppm", "rb").read()
grey = open("jpeg/source.pgm", "rb").read()
os.remove("jpeg/source.ppm")
os.remove("jpeg/source.pgm")

common = ["-quality", "85", "-optimize"]
write("grey", tool("cjpeg", common + ["-grayscale"], grey))
write("grey_progressive", tool("cjpeg", common + ["-progressive"], grey))
write("baseline_420", tool("cjpeg", common + ["-sample", "2x2"], colour))
write("baseline_422", tool("cjpeg", common + ["-sample", "2x1"], colour))
write("baseline_444", tool("cjpeg", common + ["-sample", "1x1"], colour))
write("baseline_410", tool("cjpeg", common + ["-sample", "4x2"], colour))
write("restarts", tool("cjpeg", common + ["-restart", "2B"], colour))
write("progressive", tool("cjpeg", common + ["-progressive"], colour))
write("rgb", tool("cjpeg", common + ["-rgb"], colour))
base = tool("cjpeg", common, colour)

# A comment, one surplus byte before the next marker, some after the end.
write("surplus", base[:2] + b"\xff\xfe\x00\x06hello" + base[2:] + b"tail")
write("unsupported_arithmetic", tool("jpegtran", ["-arithmetic"], base), False)
cmyk = "jpeg/unsupported_cmyk.jpg"
rgb.convert("CMYK").save(cmyk, quality=85)
