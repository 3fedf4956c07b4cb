// Package filter is the condition language of rules: its lexer and parser, its syntax tree, and the printer that turns a
// tree back into text. It knows the operators and transformers by name and shape, but no fields and no types: whether a
// condition makes sense for an event source is decided by the packages that compile it.
//
// Parse turns text into an Expr. Trees are immutable once parsed: passes that rewrite (macro resolution) build new nodes
// and share what they do not change. Every node carries the position of its first character in the text it was parsed
// from. The grammar, its error messages and positions are Falco's (reference: falco-core.md §3.6).
package filter

// Pos is a place in the text of a condition.
type Pos struct {
	Offset int // in bytes, from 0
	Line   int // from 1; \n and \r each end a line
	Col    int // in bytes, from 1
}

// Expr is a boolean expression: one of *And, *Or, *Not, *Check and *Macro.
type Expr interface {
	// Pos is where the expression begins.
	Pos() Pos
	expr()
}

// And holds when all of its operands hold. It has at least two.
type And struct {
	Kids []Expr
	At   Pos
}

// Or holds when one of its operands holds. It has at least two.
type Or struct {
	Kids []Expr
	At   Pos
}

// Not holds when its operand does not.
type Not struct {
	Kid Expr
	At  Pos
}

// Macro stands for the condition of the macro of that name. Rules that were loaded successfully hold none.
type Macro struct {
	Name string
	At   Pos
}

// Check compares an operand with something, or asks whether it exists.
type Check struct {
	Left  Operand // its Kind is FieldOperand or TransformOperand
	Op    Op
	Mod   Modifier // ModNone unless Op is a string operator followed by oneof, anyof or allof
	Right Right
	At    Pos
}

// Pos is where the expression begins.
func (e *And) Pos() Pos { return e.At }

// Pos is where the expression begins.
func (e *Or) Pos() Pos { return e.At }

// Pos is where the expression begins.
func (e *Not) Pos() Pos { return e.At }

// Pos is where the expression begins.
func (e *Macro) Pos() Pos { return e.At }

// Pos is where the expression begins, which is where its left operand does.
func (e *Check) Pos() Pos { return e.At }

func (*And) expr()   {}
func (*Or) expr()    {}
func (*Not) expr()   {}
func (*Macro) expr() {}
func (*Check) expr() {}

// OperandKind says which members of an Operand count.
type OperandKind uint8

// The kinds of operands.
const (
	// FieldOperand is a field: Name, and Arg when HasArg.
	FieldOperand OperandKind = iota + 1
	// TransformOperand is a transformer applied to Args: Name (tolower, toupper, b64, basename, len, join, concat, getopt,
	// val), Args, and Arg when HasArg. val occurs on the right-hand side only and has one field as argument.
	TransformOperand
	// LiteralOperand is a string or number among the arguments of a transformer: Text.
	LiteralOperand
	// ListOperand is a parenthesised list among the arguments of a transformer: Args, possibly none.
	ListOperand
)

// Operand is a field, a transformer, or what a transformer takes as argument.
type Operand struct {
	Kind   OperandKind
	Name   string // of the field or transformer
	Arg    string // between brackets, unescaped
	HasArg bool   // f[""] has an empty argument, f has none
	Text   string // of a literal, unescaped
	Args   []Operand
	At     Pos
}

// RightKind says which members of a Right count.
type RightKind uint8

// The kinds of right-hand sides.
const (
	// NoRight: the operator is exists.
	NoRight RightKind = iota
	// ValueRight is one value: Values[0]. A list operator followed by a bare identifier has one too; it is what is left of
	// a list name that is not defined.
	ValueRight
	// ValuesRight is a parenthesised list, possibly empty: Values.
	ValuesRight
	// OperandRight is a field read through val() or a transformer: Operand.
	OperandRight
)

// Right is the right-hand side of a check.
type Right struct {
	Kind    RightKind
	Values  []string // unescaped
	Operand *Operand
	At      Pos
}

// Op is the operator of a check.
type Op uint8

// The operators. Eq and EqEq mean the same and differ in how they print.
const (
	Exists Op = iota + 1
	Lt
	Le
	Gt
	Ge
	Eq
	EqEq
	Ne
	Glob
	IGlob
	Contains
	IContains
	BContains
	StartsWith
	BStartsWith
	EndsWith
	Regex
	In
	Intersects
	PMatch
)

// Modifier says how many values of a list a string operator must hold for.
type Modifier uint8

// The modifiers of string operators.
const (
	ModNone Modifier = iota
	OneOf            // exactly one
	AnyOf            // at least one
	AllOf            // each
)
