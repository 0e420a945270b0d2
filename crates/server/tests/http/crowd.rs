//! Far more held requests than there may be.
