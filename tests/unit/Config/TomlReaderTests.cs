using System.Text;
using Couic.Config;
using Xunit;

namespace Couic.Tests.Config;

public class TomlReaderTests
{
    [Theory]
    // Documents, comments, line ends.
    [InlineData("", "{}")]
    [InlineData("\n\r\n \t\n", "{}")]
    [InlineData("# only a comment", "{}")]
    [InlineData("# é 中 🎉 \t tab\r\na = 1 # end", "{a=i1}")]
    [InlineData("\uFEFFa=1", "{a=i1}")]
    [InlineData("a=1\r\nb=2\r\n", "{a=i1, b=i2}")]
    // Keys.
    [InlineData("A-z_09 = 1", "{A-z_09=i1}")]
    [InlineData("1234 = 1", "{1234=i1}")]
    [InlineData("\"\" = 1", "{=i1}")]
    [InlineData("'' = 1", "{=i1}")]
    [InlineData("\"a.b\" = 1\n'c d' = 2\n\"\\u00e9\" = 3", "{a.b=i1, c d=i2, é=i3}")]
    [InlineData("a . b.\"c\" . 'd' = 1", "{a={b={c={d=i1}}}}")]
    [InlineData("3.14 = 1", "{3={14=i1}}")]
    [InlineData("a.b = 1\na.c = 2\nd = 3\na.e = 4", "{a={b=i1, c=i2, e=i4}, d=i3}")]
    [InlineData("1979-05-27 = 1", "{1979-05-27=i1}")]
    [InlineData("true = 1\ninf = 2\n-1 = 3", "{true=i1, inf=i2, -1=i3}")]
    // Strings.
    [InlineData("a = \"x\\b\\t\\n\\f\\r\\\"\\\\\\u0041\\U0001F389\"", "{a='x\b\t␊\f\r\"\\A🎉'}")]
    [InlineData("a = 'C:\\x\\u0041\"'", "{a='C:\\x\\u0041\"'}")]
    [InlineData("a = \"\"\"\"\"\"", "{a=''}")]
    [InlineData("a = \"\"\"\nx\r\ny\n\"\"\"", "{a='x␊y␊'}")]
    [InlineData("a = \"\"\"\n\nx\"\"\"", "{a='␊x'}")]
    [InlineData("a = \"\"\"x \\\n\n   y \\  \r\n z\"\"\"", "{a='x y z'}")]
    [InlineData("a = \"\"\"\\\n  \"\"\"", "{a=''}")]
    [InlineData("a = \"\"\"x\\\\\ny\"\"\"", "{a='x\\␊y'}")]
    [InlineData("a = \"\"\"\"x\"\" \"\"\"", "{a='\"x\"\" '}")]
    [InlineData("a = \"\"\"x\"\"\"\"", "{a='x\"'}")]
    [InlineData("a = \"\"\"x\"\"\"\"\"", "{a='x\"\"'}")]
    [InlineData("a = \"\"\"\"\"\"\"\"", "{a='\"\"'}")]
    [InlineData("a = \"\"\"\\\"\"\"\"", "{a='\"'}")]
    [InlineData("a = '''\n'x''\\n'''''", "{a=''x''\\n'''}")]
    [InlineData("a = '''x\r\ny'''", "{a='x␊y'}")]
    [InlineData("a = \"tab\there\"", "{a='tab\there'}")]
    [InlineData("a = '\u0080\u009f\u2028'", "{a='\u0080\u009f\u2028'}")]
    // Integers.
    [InlineData("a = +99\nb = 0\nc = -17\nd = -0\ne = +0", "{a=i99, b=i0, c=i-17, d=i0, e=i0}")]
    [InlineData("a = 1_000\nb = 5_349_221\nc = 1_2_3", "{a=i1000, b=i5349221, c=i123}")]
    [InlineData("a = 9223372036854775807\nb = -9223372036854775808", "{a=i9223372036854775807, b=i-9223372036854775808}")]
    [InlineData("a = 0xDEAD_beef\nb = 0o0755\nc = 0b1101_0110\nd = 0x00", "{a=i3735928559, b=i493, c=i214, d=i0}")]
    [InlineData("a = 0x7fffffffffffffff\nb = 0o777777777777777777777", "{a=i9223372036854775807, b=i9223372036854775807}")]
    [InlineData("a = 0b111111111111111111111111111111111111111111111111111111111111111", "{a=i9223372036854775807}")]
    // Floats.
    [InlineData("a = +1.0\nb = 3.1415\nc = -0.01\nd = 5e+22\ne = 1e06\nf = -2E-2", "{a=f1, b=f3.1415, c=f-0.01, d=f5E+22, e=f1000000, f=f-0.02}")]
    [InlineData("a = 6.626e-34\nb = 224_617.445_991_228\nc = 1e1_0\nd = -0.0", "{a=f6.626E-34, b=f224617.445991228, c=f10000000000, d=f-0}")]
    [InlineData("a = inf\nb = +inf\nc = -inf\nd = nan\ne = +nan\nf = -nan", "{a=fInfinity, b=fInfinity, c=f-Infinity, d=fNaN, e=fNaN, f=fNaN}")]
    [InlineData("a = 0e0\nb = 0.0e-00", "{a=f0, b=f0}")]
    // Booleans.
    [InlineData("a = true\nb = false", "{a=true, b=false}")]
    // Dates and times.
    [InlineData("a = 1979-05-27T07:32:00Z", "{a=odt 1979-05-27T07:32:00Z}")]
    [InlineData("a = 1979-05-27t00:32:00.999999-07:00", "{a=odt 1979-05-27T00:32:00.999999000-07:00}")]
    [InlineData("a = 1979-05-27 07:32:00z # c", "{a=odt 1979-05-27T07:32:00Z}")]
    [InlineData("a = [1979-05-27 07:32:00+23:59]", "{a=[odt 1979-05-27T07:32:00+23:59]}")]
    [InlineData("a = 1979-05-27T00:32:00.1234567891", "{a=ldt 1979-05-27T00:32:00.123456789}")]
    [InlineData("a = 1979-05-27", "{a=ld 1979-05-27T00:00:00}")]
    [InlineData("a = 1979-05-27 # not a time", "{a=ld 1979-05-27T00:00:00}")]
    [InlineData("a = 07:32:00", "{a=lt 0000-00-00T07:32:00}")]
    [InlineData("a = 00:32:00.5", "{a=lt 0000-00-00T00:32:00.500000000}")]
    [InlineData("a = 2000-02-29\nb = 0000-02-29\nc = 2016-12-31T23:59:60Z", "{a=ld 2000-02-29T00:00:00, b=ld 0000-02-29T00:00:00, c=odt 2016-12-31T23:59:60Z}")]
    // Arrays.
    [InlineData("a = []\nb = [ ]\nc = [\n]", "{a=[], b=[], c=[]}")]
    [InlineData("a = [1,2]\nb = [1, 'x', 2.0, true, [ ], {}]", "{a=[i1, i2], b=[i1, 'x', f2, true, [], {}]}")]
    [InlineData("a = [ # c ]\n 1 # x,\n , # y\n 2,\n\n]", "{a=[i1, i2]}")]
    [InlineData("a = [[1,2],['x'],]", "{a=[[i1, i2], ['x']]}")]
    [InlineData("a = ['''x\n''', {b=\"\"\"\n\"\"\"}]", "{a=['x␊', {b=''}]}")]
    // Inline tables.
    [InlineData("a = {}\nb = { }\nc = {x=1}\nd = { x = 1 , y.z = 2 }", "{a={}, b={}, c={x=i1}, d={x=i1, y={z=i2}}}")]
    [InlineData("a = {b={c={d=[\n1,\n2 # c\n]}}}", "{a={b={c={d=[i1, i2]}}}}")]
    [InlineData("a = {b.c=1,b.d=2}", "{a={b={c=i1, d=i2}}}")]
    // Tables.
    [InlineData("[a]", "{a={}}")]
    [InlineData("[a]\nb=1\n[c] # x\nd=2", "{a={b=i1}, c={d=i2}}")]
    [InlineData(" [ a . \"b.c\" . 'd' ] \n", "{a={b.c={d={}}}}")]
    [InlineData("[a.b.c]\nx=1\n[a]\ny=2\n[a.b]\nz=3", "{a={b={c={x=i1}, z=i3}, y=i2}}")]
    [InlineData("[a]\nb.c=1\nb.d.e=2\n[a.b.f]\ng=3", "{a={b={c=i1, d={e=i2}, f={g=i3}}}}")]
    [InlineData("a.b=1\n[a.c]\nd=2", "{a={b=i1, c={d=i2}}}")]
    [InlineData("[a.b.c]\nx=1\n[a]\nb.y=2", "{a={b={c={x=i1}, y=i2}}}")]
    [InlineData("[\"\"]\nx=1", "{={x=i1}}")]
    // Arrays of tables.
    [InlineData("[[a]]\nb=1\n[[a]]\n[[a]]\nb=2", "{a=[{b=i1}, {}, {b=i2}]}")]
    [InlineData("[[a]]\n[a.b]\nc=1\n[[a.d]]\ne=1\n[[a.d]]\n[[a]]\n[[a.d]]", "{a=[{b={c=i1}, d=[{e=i1}, {}]}, {d=[{}]}]}")]
    [InlineData("[[ a . b ]]\n[a.b.c]\nd=1\n[[a.b]]\n[a.b.c]\nd=2", "{a={b=[{c={d=i1}}, {c={d=i2}}]}}")]
    [InlineData("[[a]]\nb.c=1\n[[a]]\nb.c=2", "{a=[{b={c=i1}}, {b={c=i2}}]}")]
    public void AValidDocumentMeansWhatTheSpecificationSays(string document, string meaning)
    {
        Assert.Equal(meaning, TomlText.Read(document, out List<Fault> faults));
        Assert.Empty(faults);
    }

    [Theory]
    // Statements and line ends.
    [InlineData("a", "1:2: the end of the file after key \"a\" (expected \"=\")")]
    [InlineData("a\nb=1", "1:2: the end of the line after key \"a\" (expected \"=\")")]
    [InlineData("a =", "1:4: a value is missing")]
    [InlineData("a = # c", "1:5: a value is missing")]
    [InlineData("a = \n1", "1:5: a value is missing", "2:2: the end of the file after key \"1\" (expected \"=\")")]
    [InlineData("a\n= 1", "1:2: the end of the line after key \"a\" (expected \"=\")", "2:1: \"=\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("= 1", "1:1: \"=\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a = 1 b = 2", "1:7: \"b\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("a = 1 2", "1:7: \"2\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("[a] b = 1", "1:5: \"b\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("a = 1\rb = 2", "1:6: control character 0x0d after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("# x\u0001", "1:4: control character 0x01 in a comment (control characters are not allowed)")]
    [InlineData("# x\u007f", "1:4: control character 0x7f in a comment (control characters are not allowed)")]
    [InlineData("a = 1 # \0", "1:9: control character 0x00 in a comment (control characters are not allowed)")]
    [InlineData("\0", "1:1: control character 0x00 after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("é = 1", "1:1: \"é\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a🎉 = 1", "1:2: \"🎉\" after key \"a\" (expected \"=\")")]
    [InlineData("'🎉' = x", "1:7: \"x\" where a value should start (strings need quotes)")]
    [InlineData("a. = 1", "1:4: \"=\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData(".a = 1", "1:1: \".\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a..b = 1", "1:3: \".\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a b = 1", "1:3: \"b\" after key \"a\" (expected \"=\")")]
    [InlineData("'''a''' = 1", "1:1: a string of several lines as a key (keys take one quote)")]
    [InlineData("\"\"\"a\"\"\" = 1", "1:1: a string of several lines as a key (keys take one quote)")]
    [InlineData("'a\nb' = 1", "1:1: the string is not closed on its line", "2:2: \"'\" after key \"b\" (expected \"=\")")]
    // Strings.
    [InlineData("a = \"x", "1:5: the string is not closed on its line")]
    [InlineData("a = 'x\nb = 1", "1:5: the string is not closed on its line")]
    [InlineData("a = \"x\r\n\"", "1:5: the string is not closed on its line", "2:1: the string is not closed on its line")]
    [InlineData("a = \"\"\"x\"\"", "1:5: the string is not closed (three double quotes are missing)")]
    [InlineData("a = '''x", "1:5: the string is not closed (three single quotes are missing)")]
    [InlineData("a = '''x''''''", "1:14: \"'\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("a = \"\\x41\"", "1:6: unknown escape in a string (known: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; single quotes take backslashes as they are)")]
    [InlineData("a = \"\\e\"", "1:6: unknown escape in a string (known: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; single quotes take backslashes as they are)")]
    [InlineData("a = \"\\", "1:6: unknown escape in a string (known: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; single quotes take backslashes as they are)")]
    [InlineData("a = \"\\\nx\"", "1:6: unknown escape in a string (known: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; single quotes take backslashes as they are)", "2:2: \"\"\" after key \"x\" (expected \"=\")")]
    [InlineData("a = \"\"\"x \\ y\"\"\"", "1:10: unknown escape in a string (known: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX; single quotes take backslashes as they are)")]
    [InlineData("a = \"\\u12\"", "1:6: \\u needs 4 hex digits")]
    [InlineData("a = \"\\u123g\"", "1:6: \\u needs 4 hex digits")]
    [InlineData("a = \"\\U0041\"", "1:6: \\U needs 8 hex digits")]
    [InlineData("a = \"\\ud800\"", "1:6: \\ud800 is no Unicode character")]
    [InlineData("a = \"\\U00110000\"", "1:6: \\U00110000 is no Unicode character")]
    [InlineData("a = \"\u0001\"", "1:6: control character 0x01 in a string (write it as an escape such as \\u001B, in double quotes)")]
    [InlineData("a = '\u007f'", "1:6: control character 0x7f in a string (write it as an escape such as \\u001B, in double quotes)")]
    [InlineData("a = '''x\ry'''", "1:9: control character 0x0d in a string (write it as an escape such as \\u001B, in double quotes)")]
    [InlineData("a = \"\"\"\u0000\"\"\"", "1:8: control character 0x00 in a string (write it as an escape such as \\u001B, in double quotes)")]
    // Numbers.
    [InlineData("a = 01", "1:5: \"01\" is no value: leading zeros are not allowed")]
    [InlineData("a = -01", "1:5: \"-01\" is no value: leading zeros are not allowed")]
    [InlineData("a = 0_1", "1:5: \"0_1\" is no value: leading zeros are not allowed")]
    [InlineData("a = 03.14", "1:5: \"03.14\" is no value: leading zeros are not allowed")]
    [InlineData("a = 1__0", "1:5: \"1__0\" is no value: an underscore needs a digit on both sides")]
    [InlineData("a = 1_", "1:5: \"1_\" is no value: an underscore needs a digit on both sides")]
    [InlineData("a = +_1", "1:5: \"+_1\" is no value: an underscore needs a digit on both sides")]
    [InlineData("a = ++1", "1:5: \"++1\" is no value: \"+\" is no digit (strings need quotes)")]
    [InlineData("a = +", "1:5: \"+\" is no value: a digit is missing")]
    [InlineData("a = 9223372036854775808", "1:5: \"9223372036854775808\" is no value: beyond 64 bits")]
    [InlineData("a = -9223372036854775809", "1:5: \"-9223372036854775809\" is no value: beyond 64 bits")]
    [InlineData("a = 0x8000000000000000", "1:5: \"0x8000000000000000\" is no value: beyond 64 bits")]
    [InlineData("a = 0o1000000000000000000000", "1:5: \"0o1000000000000000000000\" is no value: beyond 64 bits")]
    [InlineData("a = +0x1", "1:5: \"+0x1\" is no value: \"x\" is no digit (strings need quotes)")]
    [InlineData("a = 0X1", "1:5: \"0X1\" is no value: \"X\" is no digit (strings need quotes)")]
    [InlineData("a = 0x", "1:5: \"0x\" is no value: \"x\" is no digit (strings need quotes)")]
    [InlineData("a = 0x_1", "1:5: \"0x_1\" is no value: an underscore needs a digit on both sides")]
    [InlineData("a = 0xg", "1:5: \"0xg\" is no value: \"g\" is no digit of a number that starts with 0x")]
    [InlineData("a = 0o8", "1:5: \"0o8\" is no value: \"8\" is no digit of a number that starts with 0o")]
    [InlineData("a = 0b2", "1:5: \"0b2\" is no value: \"2\" is no digit of a number that starts with 0b")]
    [InlineData("a = 1.", "1:5: \"1.\" is no value: a digit is missing")]
    [InlineData("a = .5", "1:5: \".\" where a value should start (strings need quotes)")]
    [InlineData("a = -.5", "1:5: \"-.5\" is no value: a digit is missing")]
    [InlineData("a = 1.e5", "1:5: \"1.e5\" is no value: a digit is missing")]
    [InlineData("a = 1e", "1:5: \"1e\" is no value: a digit is missing")]
    [InlineData("a = 1e+", "1:5: \"1e+\" is no value: a digit is missing")]
    [InlineData("a = 1._5", "1:5: \"1._5\" is no value: an underscore needs a digit on both sides")]
    [InlineData("a = 1_.5", "1:5: \"1_.5\" is no value: an underscore needs a digit on both sides")]
    [InlineData("a = 1e5.0", "1:5: \"1e5.0\" is no value: \".\" is no digit (strings need quotes)")]
    [InlineData("a = 1.2.3", "1:5: \"1.2.3\" is no value: \".\" is no digit (strings need quotes)")]
    [InlineData("a = Inf", "1:5: \"I\" where a value should start (strings need quotes)")]
    [InlineData("a = infinity", "1:5: \"infinity\" is no value: \"i\" is no digit (strings need quotes)")]
    [InlineData("a = 10.0.0.1", "1:5: \"10.0.0.1\" is no value: \".\" is no digit (strings need quotes)")]
    // Booleans.
    [InlineData("a = True", "1:5: \"T\" where a value should start (strings need quotes)")]
    [InlineData("a = truer", "1:5: \"truer\" is no value (true and false are lower-case; strings need quotes)")]
    // Dates and times.
    [InlineData("a = 1979-13-01", "1:5: \"1979-13-01\" is no date: the month is 01 to 12")]
    [InlineData("a = 1979-02-29", "1:5: \"1979-02-29\" is no date: that month has no such day")]
    [InlineData("a = 1900-02-29", "1:5: \"1900-02-29\" is no date: that month has no such day")]
    [InlineData("a = 1979-00-01", "1:5: \"1979-00-01\" is no date: the month is 01 to 12")]
    [InlineData("a = 1979-5-27", "1:5: \"1979-5-27\" is no date: expected YYYY-MM-DD")]
    [InlineData("a = 1979-05-27T", "1:5: \"1979-05-27T\" is no date: expected HH:MM:SS")]
    [InlineData("a = 1979-05-27T07:32", "1:5: \"1979-05-27T07:32\" is no date: expected HH:MM:SS")]
    [InlineData("a = 1979-05-27X07:32:00", "1:5: \"1979-05-27X07:32:00\" is no date: expected \"T\" and a time behind the date")]
    [InlineData("a = 1979-05-27  07:32:00", "1:17: \"0\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("a = 24:00:00", "1:5: \"24:00:00\" is no time: 00:00:00 to 23:59:60")]
    [InlineData("a = 07:60:00", "1:5: \"07:60:00\" is no time: 00:00:00 to 23:59:60")]
    [InlineData("a = 07:00:61", "1:5: \"07:00:61\" is no time: 00:00:00 to 23:59:60")]
    [InlineData("a = 7:00:00", "1:5: \"7:00:00\" is no value: \":\" is no digit (strings need quotes)")]
    [InlineData("a = 07:", "1:5: \"07:\" is no time: expected HH:MM:SS")]
    [InlineData("a = 07:00", "1:5: \"07:00\" is no time: expected HH:MM:SS")]
    [InlineData("a = 07:00:00.", "1:5: \"07:00:00.\" is no time: a digit is missing after \".\"")]
    [InlineData("a = 07:00:00Z", "1:5: \"07:00:00Z\" is no time: a time without a date has no offset")]
    [InlineData("a = 1979-05-27T07:32:00+07", "1:5: \"1979-05-27T07:32:00+07\" is no date: expected an offset as Z or +HH:MM")]
    [InlineData("a = 1979-05-27T07:32:00+24:00", "1:5: \"1979-05-27T07:32:00+24:00\" is no date: an offset is at most 23:59")]
    [InlineData("a = 1979-05-27T07:32:00+00:60", "1:5: \"1979-05-27T07:32:00+00:60\" is no date: an offset is at most 23:59")]
    // Arrays and inline tables.
    [InlineData("a = [1 2]", "1:8: \"2\" in the array (expected \",\" or \"]\")")]
    [InlineData("a = [,]", "1:6: \",\" where a value should start (strings need quotes)")]
    [InlineData("a = [1,,2]", "1:8: \",\" where a value should start (strings need quotes)")]
    [InlineData("a = [1", "1:5: the array is not closed (\"]\" is missing)")]
    [InlineData("a = [\n1,\n", "1:5: the array is not closed (\"]\" is missing)")]
    [InlineData("a = [\n1\nb = 2", "3:1: \"b\" in the array (expected \",\" or \"]\")")]
    [InlineData("a = {x=1,}", "1:10: \"}\" after a comma (no comma after the last key of a table in braces)")]
    [InlineData("a = {,}", "1:6: \",\" in the table (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a = {x=1 y=2}", "1:10: \"y\" in the table (expected \",\" or \"}\" on the same line)")]
    [InlineData("a = {x=1\n}", "1:9: the end of the line in the table (expected \",\" or \"}\" on the same line)")]
    [InlineData("a = {\nx=1}", "1:6: the end of the line in the table (keys are letters, digits, \"-\" and \"_\", or quoted)", "2:4: \"}\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("a = {x=1, # c\ny=2}", "1:11: \"#\" in the table (keys are letters, digits, \"-\" and \"_\", or quoted)", "2:4: \"}\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("a = {x=1,x=2}", "1:10: key \"x\" is set already, in line 1")]
    [InlineData("a = {x={y=1}, x.z=2}", "1:15: table \"x\" of line 1 is complete (dotted keys cannot add to it)")]
    [InlineData("a = {x=1, x.y=2}", "1:11: \"x\" is an integer since line 1, not a table")]
    // Headers.
    [InlineData("[]", "1:2: \"]\" in the header (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("[a", "1:3: the end of the file in the header (expected \"]\")")]
    [InlineData("[a\n]", "1:3: the end of the line in the header (expected \"]\")", "2:1: \"]\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("[a.]", "1:4: \"]\" in the header (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("[a b]", "1:4: \"b\" in the header (expected \"]\")")]
    [InlineData("[a]]", "1:4: \"]\" after the end of the statement (one statement a line; # starts a comment)")]
    [InlineData("[[a]", "1:4: \"]\" in the header (expected \"]]\")")]
    [InlineData("[[a] ]", "1:4: \"]\" in the header (expected \"]]\")")]
    [InlineData("[ [a]]", "1:3: \"[\" in the header (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    // Redefinition.
    [InlineData("a = 1\na = 2", "2:1: key \"a\" is set already, in line 1")]
    [InlineData("a = 1\n\"a\" = 2", "2:1: key \"a\" is set already, in line 1")]
    [InlineData("a.b = 1\na.b = 2", "2:3: key \"b\" is set already, in line 1")]
    [InlineData("a.b = 1\na = 2", "2:1: key \"a\" is set already, in line 1")]
    [InlineData("a = 1\na.b = 2", "2:1: \"a\" is an integer since line 1, not a table")]
    [InlineData("a.b = 1\na.b.c = 2", "2:3: \"b\" is an integer since line 1, not a table")]
    [InlineData("a = {}\na.b = 2", "2:1: table \"a\" of line 1 is complete (dotted keys cannot add to it)")]
    [InlineData("a = []\na.b = 2", "2:1: \"a\" is an array since line 1, not a table")]
    [InlineData("[a]\n[a]", "2:1: \"a\" is defined already, in line 1 (each table has one place)")]
    [InlineData("[a]\nb=1\n[a.b]", "3:1: \"b\" is defined already, in line 2 (each table has one place)")]
    [InlineData("[a]\nb=1\n[a.b.c]", "3:4: \"b\" is an integer since line 2, not a table")]
    [InlineData("a=1\n[a]", "2:1: \"a\" is defined already, in line 1 (each table has one place)")]
    [InlineData("[a]\nb.c=1\n[a.b]", "3:1: \"b\" is defined already, in line 2 (each table has one place)")]
    [InlineData("[a]\nb.c.d=1\n[a.b.c]", "3:1: \"c\" is defined already, in line 2 (each table has one place)")]
    [InlineData("a.b=1\n[a]", "2:1: \"a\" is defined already, in line 1 (each table has one place)")]
    [InlineData("[a.b.c]\n[a]\nb.c.d=1", "3:3: table \"c\" of line 1 is complete (dotted keys cannot add to it)")]
    [InlineData("[a.b.c.d]\n[a]\nb.c.d.e=1", "3:5: table \"d\" of line 1 is complete (dotted keys cannot add to it)")]
    [InlineData("[a.b]\n[a]\nb=1", "3:1: key \"b\" is set already, in line 1")]
    [InlineData("[a.b.c]\n[a]\nb.x=1\n[a.b]", "4:1: \"b\" is defined already, in line 1 (each table has one place)")]
    [InlineData("[[a.b]]\n[a]\nb.y=2", "3:1: \"b\" is an array since line 1, not a table")]
    [InlineData("a={}\n[a]", "2:1: \"a\" is defined already, in line 1 (each table has one place)")]
    [InlineData("a={}\n[a.b]", "2:2: table \"a\" of line 1 is complete (a table in braces cannot be added to)")]
    [InlineData("a={b.c=1}\n[a.b.d]", "2:2: table \"a\" of line 1 is complete (a table in braces cannot be added to)")]
    [InlineData("a=[]\n[[a]]", "2:1: \"a\" is an array since line 1, not an array of tables")]
    [InlineData("a=[{}]\n[[a]]", "2:1: \"a\" is an array since line 1, not an array of tables")]
    [InlineData("a=[{}]\n[a.b]", "2:2: \"a\" is an array since line 1, not a table")]
    [InlineData("[[a]]\n[a]", "2:1: \"a\" is defined already, in line 1 (each table has one place)")]
    [InlineData("[a]\n[[a]]", "2:1: \"a\" is a table since line 1, not an array of tables")]
    [InlineData("[a.b]\n[[a]]", "2:1: \"a\" is a table since line 1, not an array of tables")]
    [InlineData("[[a]]\n[a.b]\n[[a.b]]", "3:1: \"b\" is a table since line 2, not an array of tables")]
    [InlineData("[[a]]\n[[a.b]]\n[a.b]", "3:1: \"b\" is defined already, in line 2 (each table has one place)")]
    [InlineData("[[a]]\n[a.b]\n[a.b]", "3:1: \"b\" is defined already, in line 2 (each table has one place)")]
    public void AnInvalidDocumentIsRefusedWithPlaceAndReason(string document, params string[] expected)
    {
        TomlText.Read(document, out List<Fault> faults);
        Assert.Equal(expected.Select(text => "f:" + text), faults.Select(fault => fault.ToString()));
    }

    [Theory]
    [InlineData(new byte[] { (byte)'a', (byte)'\n', (byte)' ', 0xff }, "f:2:2: byte 0xff is not UTF-8")]
    [InlineData(new byte[] { (byte)'#', 0xc3 }, "f:1:2: byte 0xc3 is not UTF-8")]
    [InlineData(new byte[] { 0xed, 0xa0, 0x80 }, "f:1:1: byte 0xed is not UTF-8")]
    [InlineData(new byte[] { 0xff, 0xfe, (byte)'a', 0 }, "f:1:1: byte 0xff is not UTF-8")]
    public void BytesThatAreNotUtf8AreRefusedWithTheirPlace(byte[] document, string fault)
    {
        TomlText.Read(document, out List<Fault> faults);
        Assert.Equal([fault], faults.Select(one => one.ToString()));
    }

    [Fact]
    public void AllFaultsAreShownAtOnceAndTheRestIsRead()
    {
        const string Document = """
            good = 1
            bad = yes
            list = [
              1,
              two,
              3,
            ]
            more = 2
            [a
            lost = 1
            [b]
            kept = true
            kept = false
            text = "open
            last = 2
            """;
        Assert.Equal("{good=i1, more=i2, b={kept=true, last=i2}}", TomlText.Read(Document, out List<Fault> faults));
        Assert.Equal([2, 5, 9, 13, 14], faults.Select(fault => fault.Line));
    }

    [Fact]
    public void KeysAndValuesKnowTheirPlace()
    {
        List<Fault> faults = [];
        TomlTable table = TomlReader.Read("f", "# 🎉\n  a.'é'.b  =  [ 1,\n\t'x' ]"u8, faults);
        TomlEntry a = table.Entries[0], e = a.Value.Table.Entries[0], b = e.Value.Table.Entries[0];
        Assert.Equal(new TomlPosition(2, 3), a.At);
        Assert.Equal(new TomlPosition(2, 5), e.At);
        Assert.Equal(new TomlPosition(2, 9), b.At);
        Assert.Equal(new TomlPosition(2, 15), b.Value.At);
        Assert.Equal(new TomlPosition(3, 2), b.Value.Array[1].At);
    }

    [Theory]
    [InlineData("a = ", "[")]
    [InlineData("a = ", "{b = ")]
    public void NestingIsBounded(string start, string repeated)
    {
        TomlText.Read(start + string.Concat(Enumerable.Repeat(repeated, 100_000)), out List<Fault> faults);
        Assert.Equal("more than 100 arrays or tables inside each other", Assert.Single(faults).Message);
    }

    [Fact]
    public void TheNumberOfFaultsIsBounded()
    {
        TomlText.Read(string.Concat(Enumerable.Repeat("?\n", 1000)), out List<Fault> faults);
        Assert.Equal(TomlReader.MaxFaults + 1, faults.Count);
        Assert.Equal("f:51: too many faults; the rest of the file was not read", faults[^1].ToString());
    }
}
