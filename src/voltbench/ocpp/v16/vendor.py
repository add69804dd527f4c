"""Our own data transfers, on both sides: an echo, to try the way there and back."""

from __future__ import annotations

from voltbench.ocpp.v16.messages import DataTransfer, DataTransferResponse

VENDOR, ECHO = "org.voltbench", "Echo"


def transferred(request: DataTransfer) -> DataTransferResponse:
    """The answer to data of a vendor: ours is understood, and comes back."""
    if request.vendor_id != VENDOR:
        return DataTransferResponse(status="UnknownVendorId")
    if request.message_id != ECHO:
        return DataTransferResponse(status="UnknownMessageId")
    return DataTransferResponse(status="Accepted", data=request.data)
