"""Names that the language brings along. Source: ECMA-262 (2024) and the globals of Node and browsers."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ARRAYS: Final = (
    "at concat copyWithin entries every fill filter find findIndex findLast findLastIndex flat flatMap forEach "
    "includes indexOf join keys lastIndexOf map pop push reduce reduceRight reverse shift slice some sort splice "
    "toReversed toSorted toSpliced toString unshift values with"
)
STRINGS: Final = _words(
    "at charAt charCodeAt codePointAt concat endsWith includes indexOf lastIndexOf localeCompare match matchAll "
    "normalize padEnd padStart repeat replace replaceAll search slice split startsWith substring substr toLowerCase "
    "toString toUpperCase trim trimEnd trimStart valueOf"
)  # fmt: skip
MEMBERS: Final = {
    "Array.prototype": _words(_ARRAYS),
    "Function.prototype": _words("apply bind call toString"),
    "Object.prototype": _words("hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf"),
    "Promise.prototype": _words("catch finally then"),
    "Generator.prototype": _words("next return throw"),
    "Map.prototype": _words("clear delete entries forEach get has keys set values"),
    "Set.prototype": _words("add clear delete entries forEach has keys values"),
    "globalThis": _words(
        "AbortController AggregateError Array ArrayBuffer Atomics BigInt Boolean Buffer DataView Date Error EvalError "
        "FinalizationRegistry Float32Array Float64Array Function Int16Array Int32Array Int8Array Intl JSON Map Math "
        "Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String Symbol "
        "SyntaxError TextDecoder TextEncoder TypeError URIError URL URLSearchParams Uint16Array Uint32Array Uint8Array "
        "WeakMap WeakRef WeakSet addEventListener alert atob btoa cancelAnimationFrame clearImmediate clearInterval "
        "clearTimeout console decodeURI decodeURIComponent document encodeURI encodeURIComponent escape eval fetch "
        "global globalThis isFinite isNaN localStorage navigator parseFloat parseInt performance process "
        "queueMicrotask require requestAnimationFrame self sessionStorage setImmediate setInterval setTimeout "
        "structuredClone unescape window"
    ),
}  # fmt: skip
