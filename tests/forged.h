// Packed weights that were changed by hand, with checksums that are right again. Free of GoogleTest, for the fuzzer that forges
// blobs, too.
#pragma once

#include <cstring>

#include "src/blob.h"

namespace narrow::test {

/// Sets the checksum of the header, and of what follows it, where that lies as `layout` says: the blob's own header, or, where
/// that is not to be believed, the one that it was made from.
inline void set_checksums(void* blob, const BlobHeader& layout) {
  char* const bytes = static_cast<char*>(blob);
  const BlobSections s = sections_of(layout);
  BlobHeader header;
  std::memcpy(&header, bytes, sizeof header);
  header.body_hash = columns_hash(bytes, s);
  for (std::size_t panel = 0; s.panels + panel * layout.panel_stride < s.end; ++panel)
    header.body_hash += panel_hash(bytes, layout, s, static_cast<std::int64_t>(panel));
  header.header_hash = header_hash(header);
  std::memcpy(bytes, &header, sizeof header);
}

}  // namespace narrow::test
