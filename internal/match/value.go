package match

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// value is one constant of a right-hand side, parsed for the type it is compared with: text (text, bytes, address), num
// (sign-extended for signed types, IEEE 754 bits for DOUBLE) or net.
type value struct {
	text string
	num  uint64
	net  network
}

// parse parses the right-hand values of a check.
func (c *Compiler) parse(k *Check) ([]value, error) {
	vals := make([]value, len(k.values))
	for i, s := range k.values {
		if k.op == filter.BContains || k.op == filter.BStartsWith {
			b, err := hex.DecodeString(s)
			if err != nil {
				return nil, errors.New("filter error: bcontains and bstartswith operator support hex strings only")
			}
			vals[i] = value{text: string(b)}
			continue
		}
		v, err := c.parseValue(s, k.left.typ)
		if err != nil {
			return nil, err
		}
		vals[i] = v
	}
	return vals, nil
}

func (c *Compiler) parseValue(s string, typ field.Type) (value, error) {
	if typ == field.BYTEBUF {
		return value{text: s}, nil
	}
	if strings.IndexByte(s, 0) >= 0 {
		return value{}, errors.New(`filter error: filter value cannot contain a NUL byte (\x00)`)
	}
	switch typ {
	case field.CHARBUF, field.FSPATH, field.FSRELPATH:
		return value{text: s}, nil
	case field.IPADDR:
		addr, err := parseAddr(s)
		return value{text: addr}, err
	case field.IPNET:
		n, err := parseNet(s)
		return value{net: n}, err
	}
	n, err := c.parseNumber(s, typ)
	return value{num: n}, err
}

func (c *Compiler) parseNumber(s string, typ field.Type) (uint64, error) {
	switch typ {
	case field.BOOL:
		switch s {
		case "true":
			return 1, nil
		case "false":
			return 0, nil
		}
		return 0, fmt.Errorf("filter error: unrecognized boolean value %s", s)
	case field.PORT:
		return c.parsePort(s)
	case field.UINT8:
		n, err := scanUint(s, 32)
		return uint64(uint8(n)), err
	case field.UINT16:
		n, err := scanUint(s, 32)
		return uint64(uint16(n)), err
	case field.UINT32:
		return scanUint(s, 32)
	case field.UINT64, field.RELTIME, field.ABSTIME:
		return scanUint(s, 64)
	case field.INT8:
		n, err := scanInt(s, 32)
		return uint64(int8(n)), err
	case field.INT16:
		n, err := scanInt(s, 32)
		return uint64(int16(n)), err
	case field.INT32:
		n, err := scanInt(s, 32)
		return uint64(n), err
	case field.INT64:
		n, err := scanInt(s, 64)
		return uint64(n), err
	case field.DOUBLE: // whole numbers only
		n, err := scanInt(s, 32)
		return math.Float64bits(float64(n)), err
	}
	return 0, fmt.Errorf("wrong parameter type %d", typ)
}

// parsePort parses a number or the name of a service.
func (c *Compiler) parsePort(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	if strings.Trim(s, "0123456789") == "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%s is not a valid number", s)
		}
		return uint64(uint16(n)), nil
	}
	port, ok := c.services(s)
	if !ok {
		return 0, fmt.Errorf("unrecognized protocol %s", s)
	}
	return uint64(port), nil
}

// scanUint parses a decimal number as scanf(3) does with %u: blanks before it and a sign are accepted, a negative number
// wraps around, one that is too large is cut to its low bits (32) or is the largest (64).
func scanUint(s string, bits int) (uint64, error) {
	digits := strings.TrimLeft(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%s is not a valid number", s)
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err == nil && negative {
		n = -n
	}
	if bits == 32 {
		n = uint64(uint32(n))
	}
	return n, nil
}

// scanInt parses a decimal number as scanf(3) does with %d.
func scanInt(s string, bits int) (int64, error) {
	digits := strings.TrimLeft(s, " \t\n\v\f\r")
	sign := ""
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		sign, digits = digits[:1], digits[1:]
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("%s is not a valid number", s)
	}
	n, _ := strconv.ParseInt(sign+digits, 10, 64) // what is out of range is the largest of its sign
	if bits == 32 {
		n = int64(int32(n))
	}
	return n, nil
}

// parseAddr returns the bytes of an address. A dot anywhere makes it IPv4.
func parseAddr(s string) (string, error) {
	family := "IPv6"
	if strings.Contains(s, ".") {
		family = "IPv4"
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4() != (family == "IPv4") {
		return "", fmt.Errorf("unrecognized %s address %s", family, s)
	}
	return string(a.AsSlice()), nil
}
