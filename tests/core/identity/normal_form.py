"""Prints texts and the user that each is by Python's unicodedata and str.lower, or `-` if it is none: one a line, as numbers
of characters in hexadecimal. Each character of the Unicode of this Python stands behind a letter; each that Unicode takes
apart is there once more in its parts, in their order and in the reverse."""

import sys
import unicodedata


def user(text):
    for character in text:
        if unicodedata.normalize("NFKC", character) != character or len(character.lower()) != 1:
            return None
    lower = text.lower()
    return lower if unicodedata.is_normalized("NFC", lower) and lower.lower() == lower else None


def numbers(text):
    return " ".join(f"{ord(character):x}" for character in text)


def show(text):
    found = user(text)
    print(numbers(text), "-" if found is None else numbers(found), sep="|")


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
