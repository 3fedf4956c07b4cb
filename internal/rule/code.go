package rule

// Code is a kind of error or warning about a rules file. The names, short texts and descriptions are Falco's and part of
// its output (falco-core.md §3.10).
type Code uint8

// The errors, then the warnings.
const (
	ErrFileRead Code = iota
	ErrYAMLParse
	ErrYAMLValidate
	ErrCompileCondition
	ErrCompileOutput
	ErrValidate
	ErrExtension
	UnknownSource
	UnsafeNACheck
	NoEvttype
	UnknownFilter
	UnusedMacro
	UnusedList
	UnknownItem
	DeprecatedItem
	WarningExtension
	AppendNoValues
	ExceptionNameNotUnique
	InvalidMacroName
	InvalidListName
	CompileCondition
	UnknownKey
)

type codeText struct{ name, short, desc string }

var codes = [...]codeText{
	ErrFileRead:         {"LOAD_ERR_FILE_READ", "File read error", ""},
	ErrYAMLParse:        {"LOAD_ERR_YAML_PARSE", "YAML parse error", ""},
	ErrYAMLValidate:     {"LOAD_ERR_YAML_VALIDATE", "Error validating internal structure of YAML file", ""},
	ErrCompileCondition: {"LOAD_ERR_COMPILE_CONDITION", "Error compiling condition", ""},
	ErrCompileOutput:    {"LOAD_ERR_COMPILE_OUTPUT", "Error compiling output", ""},
	ErrValidate:         {"LOAD_ERR_VALIDATE", "Error validating rule/macro/list/exception objects", ""},
	ErrExtension:        {"LOAD_ERR_EXTENSION", "Error in extension item", ""},
	UnknownSource: {
		"LOAD_UNKNOWN_SOURCE", "Unknown event source",
		"A rule has a unknown event source. This can occur when reading rules content without having a corresponding " +
			"plugin loaded, etc. The rule will be silently ignored.",
	},
	UnsafeNACheck: {
		"LOAD_UNSAFE_NA_CHECK", "Unsafe <NA> comparison in condition",
		"Comparing a field value with <NA> is unsafe and can lead to unpredictable behavior of the rule condition. If " +
			"you need to check for the existence of a field, consider using the 'exists' operator instead.",
	},
	NoEvttype: {
		"LOAD_NO_EVTTYPE", "Condition has no event-type restriction",
		"A rule condition matches too many evt.type values. This has a significant performance penalty. Make the " +
			"condition more specific by adding an evt.type field or further restricting the number of evt.type values in " +
			"the condition.",
	},
	UnknownFilter: {
		"LOAD_UNKNOWN_FILTER", "Unknown field or event-type in condition or output",
		"A rule condition or output refers to a field or evt.type that does not exist. This is normally an error, but if " +
			"a rule has a skip-if-unknown-filter property, the error is downgraded to a warning.",
	},
	UnusedMacro: {
		"LOAD_UNUSED_MACRO", "Unused macro",
		"A macro is defined in the rules content but is not used by any other macro or rule.",
	},
	UnusedList: {
		"LOAD_UNUSED_LIST", "Unused list",
		"A list is defined in the rules content but is not used by any other list, macro, or rule.",
	},
	UnknownItem: {
		"LOAD_UNKNOWN_ITEM", "Unknown rules file item",
		"An unknown top-level object is in the rules content. It will be ignored.",
	},
	DeprecatedItem: {
		"LOAD_DEPRECATED_ITEM", "Used deprecated item",
		"A deprecated item is employed by lists, macros, or rules.",
	},
	WarningExtension: {"LOAD_WARNING_EXTENSION", "Warning in extension item", "An extension item has a warning"},
	AppendNoValues: {
		"LOAD_APPEND_NO_VALUES", "Overriding/appending with no values",
		"A rule exception is overriding/appending with no values",
	},
	ExceptionNameNotUnique: {
		"LOAD_EXCEPTION_NAME_NOT_UNIQUE", "Multiple exceptions defined with the same name",
		"A rule is defining multiple exceptions with the same name",
	},
	InvalidMacroName: {"LOAD_INVALID_MACRO_NAME", "Invalid macro name", "A macro is defined with an invalid name"},
	InvalidListName:  {"LOAD_INVALID_LIST_NAME", "Invalid list name", "A list is defined with an invalid name"},
	CompileCondition: {
		"LOAD_COMPILE_CONDITION", "Warning in rule condition",
		"A rule condition or output have been parsed with a warning",
	},
	UnknownKey: {
		"LOAD_UNKNOWN_KEY", "Unknown key in item definition",
		"An item in the rules content contains an unrecognized key. The key will be ignored. This may indicate a typo or " +
			"a property placed on the wrong item type.",
	},
}

// String returns the name of the code, such as LOAD_ERR_VALIDATE.
func (c Code) String() string { return codes[c].name }

// Text returns the short text of the code.
func (c Code) Text() string { return codes[c].short }

// Description returns what the JSON form calls codedesc: the short text of an error, the long text of a warning.
func (c Code) Description() string {
	if codes[c].desc == "" {
		return codes[c].short
	}
	return codes[c].desc
}

// Fields that still exist but no longer carry anything, with what Falco says about each in a condition.
const latencyDropped = "field is not available due to the drop of enter events."

var deprecatedFields = [...]struct{ name, desc string }{
	{"evt.dir", "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and 'evt.dir = >' always " +
		"evaluates to false. The rule expression can be simplified by removing the condition on 'evt.dir'"},
	{"evt.latency", latencyDropped},
	{"evt.latency.s", latencyDropped},
	{"evt.latency.ns", latencyDropped},
	{"evt.latency.human", latencyDropped},
	{"evt.wait_latency", latencyDropped},
}
