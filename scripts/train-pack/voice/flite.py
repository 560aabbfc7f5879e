"""flite through its C library: 16 kHz speech of one line and the time span of every word.

Needs libflite 2.2 with the voices slt and rms (Debian's libflite1, or the folder named by
VOICE_LIB). One instance per process.
"""

import ctypes
import os

import numpy as np


class _Wave(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


class Flite:
    def __init__(self, voices=("slt", "rms")):
        folder = os.environ.get("VOICE_LIB", "")
        load = lambda name: ctypes.CDLL(os.path.join(folder, name) if folder else name, ctypes.RTLD_GLOBAL)
        if folder:
            load("libasound.so.2")
        self.lib = load("libflite.so.1")
        for name in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            load(name)
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        for function, result, arguments in (
            ("flite_init", ctypes.c_int, []),
            ("flite_synth_text", pointer, [text, pointer]),
            ("utt_wave", ctypes.POINTER(_Wave), [pointer]),
            ("utt_relation", pointer, [pointer, text]),
            ("relation_head", pointer, [pointer]),
            ("item_next", pointer, [pointer]),
            ("item_as", pointer, [pointer, text]),
            ("item_parent", pointer, [pointer]),
            ("ffeature_float", ctypes.c_float, [pointer, text]),
            ("ffeature_string", text, [pointer, text]),
            ("delete_utterance", None, [pointer]),
        ):
            f = getattr(self.lib, function)
            f.restype, f.argtypes = result, arguments
        self.lib.flite_init()
        self.voices = {}
        for name in voices:
            register = getattr(load(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            register.restype, register.argtypes = pointer, [text]
            self.voices[name] = register(None)

    def say(self, line: str, voice: str):
        """line: plain words and punctuation. Returns int16 samples [n] at 16 kHz and
        [(word, token, start second, end second, token's identity)]."""
        utterance = self.lib.flite_synth_text(line.encode("ascii"), self.voices[voice])
        try:
            wave = self.lib.utt_wave(utterance).contents
            if wave.sample_rate != 16_000:
                raise ValueError(f"flite voice {voice} speaks at {wave.sample_rate} Hz, 16000 is needed")
            samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
            words = []
            item = self.lib.relation_head(self.lib.utt_relation(utterance, b"Word"))
            while item:
                first = b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"
                last = b"R:SylStructure.daughtern.daughtern.R:Segment.end"
                words.append(
                    (
                        self.lib.ffeature_string(item, b"name").decode(),
                        self.lib.ffeature_string(item, b"R:Token.parent.name").decode(),
                        self.lib.ffeature_float(item, first),
                        self.lib.ffeature_float(item, last),
                        self.lib.item_parent(self.lib.item_as(item, b"Token")),
                    )
                )
                item = self.lib.item_next(item)
            return samples, words
        finally:
            self.lib.delete_utterance(utterance)
