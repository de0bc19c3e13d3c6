/* The manifest of a snapshot: which parts it is made of, by hash and size. It is small, travels in messages,
 * and its own hash is the snapshot's name: the same parts have the same name, whoever put them together. A
 * part is hashed once, when it is made (or read back from a disk); whoever is handed the manifest together
 * with sealed descriptors by somebody it trusts does not hash again. */
#ifndef POLICY_MANIFEST_H
#define POLICY_MANIFEST_H

#include "policy/snapshot.h"

struct part_id {
    uint8_t hash[SNAP_HASH];
    uint64_t size;
};

struct manifest {
    struct part_id part[SNAP_PARTS];
};

enum { MANIFEST_BYTES = 8 + SNAP_PARTS * (SNAP_HASH + 8), MANIFEST_TEXT = 2 * SNAP_HASH + 1 };

const char *part_name(enum snap_part p);
bool part_is_kept(enum snap_part p);

/* The bytes of a manifest, and back: BAD when they are not exactly one of this version. */
enum rc manifest_put(struct buf *b, const struct manifest *m) MUST_USE;
enum rc manifest_get(span in, struct manifest *m) MUST_USE;
/* The name of the snapshot that it describes. */
enum rc manifest_name(const struct manifest *m, uint8_t out[SNAP_HASH]) MUST_USE;
bool part_same(const struct part_id *a, const struct part_id *b);
/* Hash and size of a sealed part; BAD when it can still be changed. */
enum rc part_identify(int fd, struct part_id *out) MUST_USE;
enum rc manifest_of(const int fds[SNAP_PARTS], struct manifest *out) MUST_USE;

/* 64 hex digits and a NUL; and back. */
void hash_text(const uint8_t hash[SNAP_HASH], char out[MANIFEST_TEXT]);
bool hash_parse(span text, uint8_t out[SNAP_HASH]);

/* Maps and checks the parts that the manifest names; nothing is hashed. Parts with the hash of a part of
 * `share` (may be NULL) use its mapping and its check. BAD when a part is not sealed, has another size, or
 * its structure is wrong. */
enum rc snapshot_open_as(const struct manifest *m, const int fds[SNAP_PARTS], const struct snapshot *share,
                         struct snapshot **out) MUST_USE;
/* The same without the lists, which are kept for the last few snapshots only: for decisions whose categories
 * are known from a record. Every name is in no category. fds of lists are not looked at. */
enum rc snapshot_open_old(const struct manifest *m, const int fds[SNAP_PARTS],
                          struct snapshot **out) MUST_USE;
const struct manifest *snapshot_manifest(const struct snapshot *s);

#endif
