package otlp

import (
	"math"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/saker-sec/saker/internal/alert"
)

// Schema is what the names of the resource's attributes follow.
const Schema = "https://opentelemetry.io/schemas/1.23.1"

// Resource returns what says who sends.
func (c *Client) Resource(more ...Attribute) *resource.Resource {
	var out resource.Resource
	for _, list := range [][]Attribute{c.resource, more} {
		for _, a := range list {
			out.Attributes = append(out.Attributes, Pair(a.Name, String(a.Value)))
		}
	}
	return &out
}

// Scope returns what says which part of a program sends.
func Scope(name string) *common.InstrumentationScope { return &common.InstrumentationScope{Name: name} }

// Pair returns an attribute.
func Pair(name string, v *common.AnyValue) *common.KeyValue {
	return &common.KeyValue{Key: clean(name), Value: v}
}

// String returns a text, in which what is no UTF-8 is replaced: Protobuf takes nothing else.
func String(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: clean(s)}}
}

// Strings returns a list of texts.
func Strings(list []string) *common.AnyValue {
	var values common.ArrayValue
	for _, s := range list {
		values.Values = append(values.Values, String(s))
	}
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &values}}
}

// Value returns the value of a field with its type; one that no type of the protocol holds is a text, and null is an empty value.
func Value(v alert.Value) *common.AnyValue {
	switch v.Kind {
	case alert.Null:
		return &common.AnyValue{}
	case alert.Bool:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.Num != 0}}
	case alert.Int:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(v.Num)}}
	case alert.Uint:
		if v.Num <= math.MaxInt64 {
			return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: int64(v.Num)}}
		}
	case alert.Float:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: math.Float64frombits(v.Num)}}
	case alert.List:
		var values common.ArrayValue
		for _, e := range v.Elems {
			values.Values = append(values.Values, Value(e))
		}
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &values}}
	}
	return String(v.String())
}

func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Nanoseconds returns a time as the protocol has it; one before 1970 is 0.
func Nanoseconds(t int64) uint64 { return uint64(max(t, 0)) }
