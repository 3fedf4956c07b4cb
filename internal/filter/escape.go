package filter

import "strings"

// unescape resolves the escapes of the text between two quotes. The second result is Falco's error message, or "".
func unescape(s string, quote byte) (string, string) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, ""
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b = append(b, s[i])
			}
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case ' ', '\\': // a backslash before a blank is one backslash, and the blank is gone
			b = append(b, '\\')
		case '/':
			b = append(b, '/')
		case '"', '\'':
			if c != quote {
				return "", `invalid \` + string(c) + ` escape in ` + string(quote) + `-quoted string`
			}
			b = append(b, c)
		default:
			return "", `unsupported string escape sequence: \` + string([]byte{c})
		}
	}
	return string(b), ""
}

// quoteFalco writes a value as Falco prints it: between double quotes when it holds a blank, an equals sign, a quote, a
// backslash or a control character with a name. The result does not always parse back: commas, parentheses and the empty
// string stay bare.
func quoteFalco(s string) string {
	if !strings.ContainsAny(s, "\b\f\n\r\t =\\\"'\x00") {
		return s
	}
	return `"` + falcoEscapes.Replace(s) + `"`
}

var falcoEscapes = strings.NewReplacer("\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, `\`, `\\`, `"`, `\"`)

// A backslash is written as backslash and blank, the one form that is safe before a closing quote.
var exactEscapes = strings.NewReplacer("\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, `\`, `\ `, `"`, `\"`)

func quoteExact(s string) string { return `"` + exactEscapes.Replace(s) + `"` }
