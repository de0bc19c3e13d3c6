/* Names of parts and snapshots: damaged manifests are refused, equal parts share memory, other bytes have
 * another name. */
#include "policy/manifest.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "policy/image.h"
#include "policy/part.h"
#include "tests/unit/policy/snap_help.h"

static struct manifest sample(void)
{
    struct manifest m = {0};
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        memset(m.part[i].hash, (int)(17 * i + 1), SNAP_HASH);
        m.part[i].size = UINT64_C(0x100000001) * i;
    }
    return m;
}

static void only_a_whole_manifest_is_read(void **state)
{
    struct manifest m = sample(), got;
    struct buf b = {0};
    (void)state;
    assert_int_equal(manifest_put(&b, &m), RC_OK);
    assert_int_equal(buf_len(&b), MANIFEST_BYTES);
    for (size_t n = 0; n < MANIFEST_BYTES; n++)
        assert_int_equal(manifest_get(span_of(b.p, n), &got), RC_BAD);
    assert_int_equal(buf_put_u8(&b, 0), RC_OK);
    assert_int_equal(manifest_get(buf_span(&b), &got), RC_BAD);
    for (size_t at = 0; at < 8; at++) {
        b.p[at] ^= 1;
        assert_int_equal(manifest_get(span_of(b.p, MANIFEST_BYTES), &got), RC_BAD);
        b.p[at] ^= 1;
    }
    assert_int_equal(manifest_get(span_of(b.p, MANIFEST_BYTES), &got), RC_OK);
    assert_memory_equal(&got, &m, sizeof m);
    buf_fini(&b);
}

static void every_part_counts_for_the_name(void **state)
{
    struct manifest m = sample();
    uint8_t whole[SNAP_HASH], other[SNAP_HASH];
    (void)state;
    assert_int_equal(manifest_name(&m, whole), RC_OK);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        m = sample();
        m.part[i].hash[31] ^= 1;
        assert_int_equal(manifest_name(&m, other), RC_OK);
        assert_memory_not_equal(whole, other, SNAP_HASH);
        m = sample();
        m.part[i].size++;
        assert_int_equal(manifest_name(&m, other), RC_OK);
        assert_memory_not_equal(whole, other, SNAP_HASH);
    }
}

static void hashes_as_text_come_back(void **state)
{
    uint8_t hash[SNAP_HASH], back[SNAP_HASH];
    char text[MANIFEST_TEXT];
    (void)state;
    for (unsigned i = 0; i < SNAP_HASH; i++)
        hash[i] = (uint8_t)(i * 9 + 7);
    hash_text(hash, text);
    assert_true(hash_parse(span_str(text), back));
    assert_memory_equal(hash, back, SNAP_HASH);
    assert_false(hash_parse(span_of(text, 63), back));
    text[5] = 'G';
    assert_false(hash_parse(span_str(text), back));
    text[5] = 'A'; /* one name has one spelling */
    assert_false(hash_parse(span_str(text), back));
}

static void only_sealed_memory_has_a_name(void **state)
{
    struct part_id id;
    int fd = memfd_create("t", MFD_ALLOW_SEALING);
    (void)state;
    assert_int_equal(part_identify(fd, &id), RC_BAD);
    assert_int_equal(part_identify(-1, &id), RC_BAD);
    close(fd);
    assert_int_equal(part_seal("t", SPAN("abc"), &fd), RC_OK);
    assert_int_equal(part_identify(fd, &id), RC_OK);
    assert_int_equal(id.size, 3);
    assert_int_equal(id.hash[0], 0xba); /* SHA-256 of "abc", FIPS 180-4 */
    assert_int_equal(id.hash[31], 0xad);
    close(fd);
}

static void parts_that_are_there_are_not_mapped_again(void **state)
{
    static struct compiled a, b;
    struct snapshot *s, *t;
    struct manifest m;
    (void)state;
    compile_text(ZONES "category c domain \"c.test\"\nweb { block category c\n allow any }\n", &a);
    compile_text(ZONES "category c domain \"c.test\"\nweb { allow any }\n", &b);
    assert_int_equal(manifest_of(a.fds, &m), RC_OK);
    assert_int_equal(snapshot_open_as(&m, a.fds, NULL, &s), RC_OK);
    assert_memory_equal(snapshot_hash(s), a.hash, SNAP_HASH);
    assert_int_equal(manifest_of(b.fds, &m), RC_OK);
    m.part[PART_LISTS] = snapshot_manifest(s)->part[PART_LISTS];
    close(b.fds[PART_LISTS]);
    b.fds[PART_LISTS] = -1; /* not needed: it is mapped */
    assert_int_equal(snapshot_open_as(&m, b.fds, s, &t), RC_OK);
    assert_ptr_equal(t->part[PART_LISTS], s->part[PART_LISTS]);
    assert_ptr_not_equal(t->part[PART_POLICY], s->part[PART_POLICY]);
    snapshot_put(s);
    struct facts f = hello(t, "10.0.0.1", "", "www.c.test");
    assert_int_equal(f.n_cats, 1); /* the mapping lives as long as one snapshot has it */
    snapshot_put(t);
    compiled_close(&a);
    compiled_close(&b);
}

static void another_size_is_refused(void **state)
{
    static struct compiled a;
    struct snapshot *s;
    struct manifest m;
    (void)state;
    compile_text(ZONES "web { allow any }\n", &a);
    for (unsigned i = 0; i < SNAP_PARTS; i++) {
        assert_int_equal(manifest_of(a.fds, &m), RC_OK);
        m.part[i].size++;
        assert_int_equal(snapshot_open_as(&m, a.fds, NULL, &s), RC_BAD);
        assert_null(s);
    }
    compiled_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_whole_manifest_is_read),
        cmocka_unit_test(every_part_counts_for_the_name),
        cmocka_unit_test(hashes_as_text_come_back),
        cmocka_unit_test(only_sealed_memory_has_a_name),
        cmocka_unit_test(parts_that_are_there_are_not_mapped_again),
        cmocka_unit_test(another_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
