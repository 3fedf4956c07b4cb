package filter

var opNames = [...]string{
	Exists: "exists", Lt: "<", Le: "<=", Gt: ">", Ge: ">=", Eq: "=", EqEq: "==", Ne: "!=", Glob: "glob", IGlob: "iglob",
	Contains: "contains", IContains: "icontains", BContains: "bcontains", StartsWith: "startswith",
	BStartsWith: "bstartswith", EndsWith: "endswith", Regex: "regex", In: "in", Intersects: "intersects",
	PMatch: "pmatch",
}

// The operators in the order in which the lexer tries them, which is also the order of Falco's error message.
var (
	numOps  = []Op{Le, Lt, Ge, Gt}
	strOps  = []Op{EqEq, Eq, Ne, Glob, IGlob, Contains, IContains, BContains, StartsWith, BStartsWith, EndsWith, Regex}
	listOps = []Op{Intersects, In, PMatch}
)

var modNames = [...]string{OneOf: "oneof", AnyOf: "anyof", AllOf: "allof"}

var transformers = []string{"tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt"}

// String returns the operator as it is written in conditions.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return ""
}

// String returns the modifier as it is written in conditions; "" for ModNone.
func (m Modifier) String() string {
	if int(m) < len(modNames) {
		return modNames[m]
	}
	return ""
}

// IsList reports whether the operator takes a list without a modifier: in, intersects, pmatch.
func (o Op) IsList() bool { return o == In || o == Intersects || o == PMatch }

// IsString reports whether the operator is one of those that a modifier may follow.
func (o Op) IsString() bool { return o >= Eq && o <= Regex }

// isWord reports whether the operator must be followed by a blank.
func (o Op) isWord() bool { return o >= Glob && o <= Regex }

// ParseOp returns the operator written as name and reports whether there is one.
func ParseOp(name string) (Op, bool) {
	for o := Exists; int(o) < len(opNames); o++ {
		if opNames[o] == name {
			return o, true
		}
	}
	return 0, false
}

// ParseModifier returns the modifier written as name and reports whether there is one.
func ParseModifier(name string) (Modifier, bool) {
	for m := OneOf; int(m) < len(modNames); m++ {
		if modNames[m] == name {
			return m, true
		}
	}
	return 0, false
}
