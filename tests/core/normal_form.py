"""Prints texts and whether each is in normal form NFKC, by Python's unicodedata: one a line, the text as numbers of its
characters in hexadecimal. Each character of the Unicode of this Python stands behind a letter; each that Unicode takes
apart is there once more in its parts, in their order and in the reverse."""

import sys
import unicodedata


def show(text):
    # A user is put into the lower case of ASCII before its form is asked.
    text = "".join(one.lower() if one.isascii() else one for one in text)
    numbers = " ".join(f"{ord(character):x}" for character in text)
    print(numbers, unicodedata.is_normalized("NFKC", text))


for number in range(sys.maxunicode + 1):
    character = chr(number)
    # What is not assigned yet may be assigned in the Unicode of the crate.
    if unicodedata.category(character) in ("Cn", "Cs"):
        continue
    show("a" + character)
    parts = unicodedata.normalize("NFD", character)
    if parts != character:
        show("a" + parts)
        show("a" + parts[::-1])
        show(parts + "\u0323")
