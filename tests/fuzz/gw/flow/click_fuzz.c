/* No text that a stranger sends is a token of ours, whoever he says he is. Input: kind, then zone, user and
 * host with their lengths (u8), then the token. */
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/flow/click.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[CLICK_KEY] = {1, 2, 3};
    struct rd r = rd_of(span_of(data, size));
    struct click_keys keys = {0};
    struct click_who who = {.addr = {.family = 4}};
    struct click c = {.rule_key = 1, .until_s = 1000 + LIM_CLICK_S}, out;
    char text[CLICK_TEXT + 1];
    click_key(&keys, 1, key);
    enum click_kind kind = rd_u8(&r) % 2 ? CLICK_PASS : CLICK_OFFER;
    who.zone = rd_vec8(&r);
    who.user = rd_vec8(&r);
    who.host = rd_vec8(&r);
    if (r.bad)
        return 0;
    gw_assert(!click_check(&keys, kind, &who, rd_bytes(&r, rd_left(&r)), 1000, &out));
    gw_assert(click_sign(&keys, kind, &who, &c, text));
    gw_assert(click_check(&keys, kind, &who, span_str(text), 1000, &out) && out.rule_key == 1);
    return 0;
}
