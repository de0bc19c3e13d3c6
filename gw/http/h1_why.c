/* Names, sentences and answers of the reasons in h1_why.tbl. */
#include "gw/http/h1.h"

static const struct {
    const char *name, *text;
    uint16_t status;
} rows[H1_WHY_N] = {
#define W(id, name, text, status) {name, text, status},
#include "gw/http/h1_why.tbl"
#undef W
};

const char *h1_why_name(enum h1_why why)
{
    return (unsigned)why < H1_WHY_N ? rows[why].name : "unknown";
}

const char *h1_why_text(enum h1_why why)
{
    return (unsigned)why < H1_WHY_N ? rows[why].text : "unknown reason";
}

unsigned h1_why_status(enum h1_why why)
{
    return (unsigned)why < H1_WHY_N ? rows[why].status : 400;
}
