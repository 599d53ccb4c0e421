"""What this processor can do with narrow numbers, checked before any instruction is chosen."""

# pyright: reportAttributeAccessIssue=false
import platform
from functools import cache


@cache
def features() -> dict[str, bool]:
    """Return the feature flags of the host processor that the code generator would use.

    ``NUMBA_CPU_NAME`` or ``NUMBA_CPU_FEATURES`` override the host, as they do for the code generator itself.
    """
    from llvmlite import binding
    from numba import config

    if config.CPU_FEATURES is not None:
        return {
            flag.strip()[1:]: flag.strip().startswith("+") for flag in config.CPU_FEATURES.split(",") if flag.strip()
        }
    if config.CPU_NAME is not None and binding.get_host_cpu_name() != config.CPU_NAME:
        return {}
    return dict(binding.get_host_cpu_features())


def converts_fp16() -> bool:
    """Tell whether FP16 conversion is an instruction here (F16C); without it LLVM would call a missing routine."""
    return features().get("f16c", False)


def fuses_products() -> bool:
    """Tell whether a product and a sum with one rounding are one instruction here: FMA3, or any 64-bit ARM."""
    return features().get("fma", False) or platform.machine().lower() in ("arm64", "aarch64")
