/* Texts of the result codes; see err.tbl. */
#include "gw/base/err.h"

static const struct {
    const char *name, *text, *advice;
    enum rc_class class;
} rows[RC_N] = {
#define E(code, class_, text_, advice_) [RC_##code] = {#code, text_, advice_, RCC_##class_},
#include "gw/base/err.tbl"
#undef E
};

static enum rc clamp(enum rc rc)
{
    return (unsigned)rc < RC_N ? rc : RC_BUG;
}

const char *rc_name(enum rc rc)
{
    return rows[clamp(rc)].name;
}

const char *rc_text(enum rc rc)
{
    return rows[clamp(rc)].text;
}

const char *rc_advice(enum rc rc)
{
    return rows[clamp(rc)].advice;
}

enum rc_class rc_class(enum rc rc)
{
    return rows[clamp(rc)].class;
}
