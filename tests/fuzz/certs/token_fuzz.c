/* ca/issuing.token: any text. What is understood goes to the signer and comes back the same; no PIN is ever
 * in it. */
#include "certs/ca_token.h"

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ca_token t, back;
    struct buf err = {0}, wire = {0};
    if (ca_token_get(span_of(data, size), &back) == RC_OK)
        gw_assert(back.n_envs <= CA_TOKEN_ENVS && back.n_paths <= CA_TOKEN_PATHS);
    if (ca_token_parse(span_of(data, size), "issuing.token", &t, &err) == RC_OK) {
        gw_assert(t.uri.n && t.module.p[0] == '/' && t.pin.p[0] == '/');
        gw_assert(ca_token_put(&wire, &t) == RC_OK && ca_token_get(buf_span(&wire), &back) == RC_OK);
        gw_assert(span_eq(t.uri, back.uri) && span_eq(t.module, back.module) && t.n_envs == back.n_envs);
    } else {
        gw_assert(buf_len(&err) > 0);
    }
    buf_fini(&err);
    buf_fini(&wire);
    return 0;
}
