# make.py -- writes the files of this folder, as other programs write them: python3 make.py
#
# Needs numpy, safetensors and pillow. The values of arrays are arange(24) - 5 in shape (2,3,4),
# cast to the type that the name says (unsigned ones wrap around), unless said otherwise.
import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

base = np.arange(24).reshape(2, 3, 4) - 5
types = "f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1".split()


def cast(t):
    if t == "b1":
        return base % 2 == 1
    if t == "u8":
        return (base + 5).astype("u8")
    return base.astype(t)


arrays = {t: cast(t) for t in types}
arrays |= {
    "big_f4": base.astype(">f4"), "big_i2": base.astype(">i2"), "big_i8": base.astype(">i8"),
    "fortran": np.asfortranarray(base.astype("f4")), "zero_dim": np.float32(7.5),
    "empty": np.zeros((0, 3), "f4"), "special": np.array([np.nan, np.inf, -np.inf, -0.0, 1e-40], "f4"),
    "halves": np.array([65504, -65504, 2**-24, 2**-14, np.inf, -np.inf, np.nan, -0.0, 1 / 3], "f2"),
    "eight": base.astype("f4").reshape(1, 2, 1, 3, 1, 4, 1, 1), "name/ü": base.astype("i4"),
}
np.savez("numpy.npz", **arrays)
np.savez_compressed("numpy_packed.npz", **{k: arrays[k] for k in ("f4", "u1", "fortran", "empty")})
np.save("numpy.npy", arrays["f8"])
with open("numpy_v2.npy", "wb") as f:
    np.lib.format.write_array(f, arrays["big_i2"], version=(2, 0))
with open("numpy_v3.npy", "wb") as f:
    np.lib.format.write_array(f, arrays["fortran"], version=(3, 0))
np.save("numpy_text.npy", np.array(["a", "bc"]))
np.save("numpy_complex.npy", np.array([1 + 2j]))
np.save("numpy_record.npy", np.zeros(2, [("x", "f4"), ("y", "i4")]))
np.save("numpy_u8_large.npy", np.array([1, 2**63], "u8"))


class Unseekable(io.RawIOBase):  # makes zipfile put the sizes behind the entries
    def __init__(self, f):
        self.f = f

    def writable(self):
        return True

    def write(self, b):
        return self.f.write(b)


def npy(a):
    f = io.BytesIO()
    np.save(f, a)
    return f.getvalue()


with open("streamed.npz", "wb") as f:
    with zipfile.ZipFile(Unseekable(f), "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(zipfile.ZipInfo("x.npy"), npy(arrays["f4"]))
        z.writestr(zipfile.ZipInfo("readme.txt"), b"not an array")
        z.comment = b"a comment at the end"
with zipfile.ZipFile("bzip2.npz", "w", zipfile.ZIP_BZIP2) as z:
    z.writestr(zipfile.ZipInfo("x.npy"), npy(arrays["f4"]), zipfile.ZIP_BZIP2)


def zip64(name, entry, data):  # the fields of archives above 4 GB, in a small one
    crc, n = zlib.crc32(data), len(data)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 0, 0, 33, crc, 2**32 - 1, 2**32 - 1, len(entry), 20) + \
        entry + struct.pack("<HHQQ", 1, 16, n, n)
    extra = struct.pack("<HHI", 0x5455, 4, 0) + struct.pack("<HHQQQ", 1, 24, n, n, 0)
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 0, 0, 33, crc, 2**32 - 1, 2**32 - 1,
                          len(entry), len(extra), 0, 0, 0, 0, 2**32 - 1) + entry + extra
    at = len(local) + n
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(central), at)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at + len(central), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
    open(name, "wb").write(local + data + central + end64 + locator + end)
    assert np.array_equal(np.load(name)["x"], arrays["f4"])


zip64("zip64.npz", b"x.npy", npy(arrays["f4"]))

save_file({k: np.ascontiguousarray(arrays[k]) for k in types} | {
    "zero_dim": np.array(7.5, "f4"), "empty": np.zeros((0, 3), "f4"),
    'quote " back \\ tab \t ü €': arrays["i4"]},
    "python.safetensors", metadata={"made by": "python", "line\nbreak": '"ü"'})


# ---- IDX ----
def idx(code, a):
    a = np.asarray(a)
    return struct.pack(">BBBB", 0, 0, code, a.ndim) + struct.pack(f">{a.ndim}I", *a.shape) + \
        a.astype(a.dtype.newbyteorder(">")).tobytes()


for code, t in ((8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")):
    open(f"{t}.idx", "wb").write(idx(code, arrays[t]))
digits = (np.arange(6 * 28 * 28) % 251).astype("u1").reshape(6, 28, 28)
for name, n in (("train", 6), ("t10k", 2)):
    open(f"{name}-images-idx3-ubyte.gz", "wb").write(gzip.compress(idx(8, digits[:n]), mtime=0))
    open(f"{name}-labels-idx1-ubyte", "wb").write(idx(8, np.arange(n, dtype="u1")))


# ---- PNG: Pillow writes the usual ones, this the others ----
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, a, bits, color, interlace=0, extra=b""):
    h, w = a.shape[:2]

    def rows(b):
        if bits == 16:
            b = b.astype(">u2")
        raw = [r.tobytes() for r in b]
        if bits < 8:
            raw = [np.packbits(((r[:, None] >> np.arange(bits)[::-1]) & 1).astype("u1")).tobytes() for r in b]
        return b"".join(b"\0" + r for r in raw)

    if interlace:
        steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
        data = b"".join(rows(p) for p in (a[y::dy, x::dx] for y, x, dy, dx in steps) if p.size)
    else:
        data = rows(a)
    with open(name, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, color, 0, 0, interlace)) +
                extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


grey = (np.arange(5 * 7) * 7).astype("u1").reshape(5, 7)
rgb = (np.arange(5 * 7 * 3) * 2).astype("u1").reshape(5, 7, 3)
Image.fromarray(grey).save("grey.png")
Image.fromarray(rgb).save("rgb.png")
Image.fromarray(np.concatenate([rgb, grey[..., None]], 2)).save("rgba.png")
Image.fromarray(grey).convert("P").save("palette.png")
Image.fromarray(grey % 2 == 1).save("bits.png")
Image.fromarray(grey.astype("u2") * 257 + 3).save("grey16.png")
png("rgb16.png", rgb.astype("u2") * 200, 16, 2)
png("interlaced.png", rgb, 8, 2, 1)
png("grey2.png", grey % 4, 2, 0)
png("transparent.png", rgb, 8, 2, 0, chunk(b"tRNS", struct.pack(">HHH", 0, 2, 4)))
