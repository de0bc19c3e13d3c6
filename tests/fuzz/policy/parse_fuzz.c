/* A policy text from anybody: read, checked, and, when there was no error, made into a part that must open,
 * and into a normal form that must read without an error. What is said about it stays short. */
#include "policy/check.h"
#include "policy/index.h"
#include "policy/normal.h"
#include "policy/parse.h"
#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned read_tree(struct tree *t, struct diag *d, span text)
{
    struct compile_opts opts = {.check_only = true};
    tree_init(t);
    policy_parse_text(d, "fuzz.policy", text);
    if (t->n_files)
        policy_check(d, &opts);
    diag_end(d);
    return d->errors;
}

static void make_part(struct tree *t)
{
    struct part part;
    struct buf image = {0};
    struct image out;
    part_init(&part);
    gw_assert(index_build(t, &part) == RC_OK);
    gw_assert(part_emit(&part, &image) == RC_OK);
    gw_assert(image_open(buf_span(&image), &out) == RC_OK);
    part_fini(&part);
    buf_fini(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tree t, again;
    struct buf text = {0}, said = {0}, said_again = {0};
    struct diag d = {.out = &said, .tree = &t}, e = {.out = &said_again, .tree = &again};
    if (read_tree(&t, &d, span_of(data, size)) == 0) {
        make_part(&t);
        gw_assert(policy_normal(&t, &text) == RC_OK);
        unsigned errors = read_tree(&again, &e, buf_span(&text));
        gw_assert(errors == 0);
        tree_fini(&again);
    }
    gw_assert(buf_len(&said) < 65536);
    tree_fini(&t);
    buf_fini(&text);
    buf_fini(&said);
    buf_fini(&said_again);
    return 0;
}
