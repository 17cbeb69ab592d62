using System.Text;
using Couic.Config;
using Xunit;

namespace Couic.Tests.Config;

public class TomlDocumentTests
{
    [Theory]
    [InlineData("\n\r\n \t\n", "{}")]
    [InlineData("\uFEFF# é 中 🎉 \t tab\r\na = 1 # end", "{a=i1}")]
    [InlineData("\"\" = 1\n\"a.b\" = 1\n'c d' = 2\n\"\\u00e9\" = 3", "{=i1, a.b=i1, c d=i2, é=i3}")]
    [InlineData("a . b.\"c\" . 'd' = 1\n3.14 = 1", "{a={b={c={d=i1}}}, 3={14=i1}}")]
    [InlineData("a.b = 1\na.c = 2\nd = 3\na.e = 4", "{a={b=i1, c=i2, e=i4}, d=i3}")]
    [InlineData("a = \"x\\b\\t\\n\\f\\r\\\"\\\\\\u0041\\U0001F389\"", "{a='x\b\t␊\f\r\"\\A🎉'}")]
    [InlineData("a = 'C:\\x\\u0041\"'", "{a='C:\\x\\u0041\"'}")]
    [InlineData("a = \"\"\"x \\\n\n   y \\  \r\n z\"\"\"", "{a='x y z'}")]
    [InlineData("a = '''\n'x''\\n'''''", "{a=''x''\\n'''}")]
    [InlineData("a = +99\nb = -0\nc = 1_2_3\nd = 0xDEAD_beef\ne = 0o0755\nf = 0b1101_0110", "{a=i99, b=i0, c=i123, d=i3735928559, e=i493, f=i214}")]
    [InlineData("a = 9223372036854775807\nb = -9223372036854775808\nc = 0x7fffffffffffffff", "{a=i9223372036854775807, b=i-9223372036854775808, c=i9223372036854775807}")]
    [InlineData("a = -0.01\nb = 5e+22\nc = inf\nd = nan\ne = true", "{a=f-0.01, b=f5E+22, c=fInfinity, d=fNaN, e=true}")]
    [InlineData("a = 1979-05-27 07:32:00z # c\nb = 1979-05-27 # c\nc = 00:32:00.5", "{a=t 1979-05-27 07:32:00z, b=t 1979-05-27, c=t 00:32:00.5}")]
    [InlineData("a = [ # c ]\n 1 # x,\n , # y\n 2,\n\n]\nb = [1, 'x', 2.0, true, [ ], {}]", "{a=[i1, i2], b=[i1, 'x', f2, true, [], {}]}")]
    [InlineData("a = ['''x\n''', {b=\"\"\"\n\"\"\"}]", "{a=['x␊', {b=''}]}")]
    [InlineData("a = {}\nb = { x = 1 , y.z = 2, y.a = 3 }", "{a={}, b={x=i1, y={z=i2, a=i3}}}")]
    // New in TOML 1.1.
    [InlineData("a = { x = 1, # c\n  y = [\n1], \n}\nb = \"\\x41\\e\"\nc = 07:32", "{a={x=i1, y=[i1]}, b='A\u001b', c=t 07:32}")]
    // Tables and arrays of tables.
    [InlineData("[a]\nb=1\n[c] # x\nd=2", "{a={b=i1}, c={d=i2}}")]
    [InlineData(" [ a . \"b.c\" . 'd' ] \n[\"\"]\nx=1", "{a={b.c={d={}}}, ={x=i1}}")]
    [InlineData("[a.b.c]\nx=1\n[a]\ny=2\n[a.b]\nz=3", "{a={b={c={x=i1}, z=i3}, y=i2}}")]
    [InlineData("[a]\nb.c=1\nb.d.e=2\n[a.b.f]\ng=3", "{a={b={c=i1, d={e=i2}, f={g=i3}}}}")]
    [InlineData("a.b=1\n[a.c]\nd=2", "{a={b=i1, c={d=i2}}}")]
    [InlineData("[a.b.c]\nx=1\n[a]\nb.y=2", "{a={b={c={x=i1}, y=i2}}}")]
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
    [InlineData("a", "1:2: the end of the file after a key (expected \"=\")")]
    [InlineData("a\nb=1", "1:2: the end of the line after a key (expected \"=\")")]
    [InlineData("a =", "1:4: a value is missing")]
    [InlineData("a = \n1", "1:5: a value is missing")]
    [InlineData("a\n= 1", "1:2: the end of the line after a key (expected \"=\")", "2:1: \"=\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("= 1", "1:1: \"=\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a = 1 b = 2", "1:7: \"b\" after the end of the statement (one statement per line; # starts a comment)")]
    [InlineData("a = 1 2", "1:7: \"2\" after the end of the statement (one statement per line; # starts a comment)")]
    [InlineData("[a] b = 1", "1:5: \"b\" after the end of the statement (one statement per line; # starts a comment)")]
    [InlineData("a = 1\rb = 2", "1:6: a carriage return without a line feed")]
    [InlineData("# x\u0001", "1:4: a control character (write it as an escape such as \\u001B, in double quotes)")]
    [InlineData("\u0000", "1:1: \"\\u0000\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("é = 1", "1:1: \"é\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a🎉 = 1", "1:2: \"🎉\" after a key (expected \"=\")")]
    [InlineData("'🎉' = x", "1:7: \"x\" is not a value (strings need quotes)")]
    [InlineData("a. = 1", "1:4: \"=\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData(".a = 1", "1:1: \".a\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("a b = 1", "1:3: \"b\" after a key (expected \"=\")")]
    [InlineData("'''a''' = 1", "1:3: \"'\" after a key (expected \"=\")")]
    [InlineData("'a\nb' = 1", "1:1: the string is not closed on its line")]
    [InlineData("a = \"x", "1:5: the string is not closed on its line")]
    [InlineData("a = 'x\nb = 1", "1:5: the string is not closed on its line")]
    [InlineData("a = \"x\r\n\"", "1:5: the string is not closed on its line")]
    [InlineData("a = \"\"\"x\"\"", "1:5: the string is not closed (three double quotes are missing)")]
    [InlineData("a = '''x''''''", "1:14: \"'\" after the end of the statement (one statement per line; # starts a comment)")]
    [InlineData("a = \"\\", "1:5: the string is not closed on its line")]
    [InlineData("a = \"\\\nx\"", "1:5: the string is not closed on its line")]
    [InlineData("a = \"\"\"x \\ y\"\"\"", "1:11: unknown escape in a string (single quotes take backslashes as they are)")]
    [InlineData("a = \"\\u12\"", "1:5: the string is not closed on its line")]
    [InlineData("a = \"\\ud800\"", "1:7: invalid Unicode scalar value [D800]")]
    [InlineData("a = \"\u0001\"", "1:5: a control character (write it as an escape such as \\u001B, in double quotes)")]
    [InlineData("a = '''x\ry'''", "1:9: a carriage return without a line feed")]
    [InlineData("a = \"\"\"\u0000\"\"\"", "1:5: a control character (write it as an escape such as \\u001B, in double quotes)")]
    [InlineData("a = 01", "1:5: \"01\" is not a value (leading zeros are not allowed)")]
    [InlineData("a = 1__0", "1:7: an underscore \"_\" must follow a digit and not another \"_\"")]
    [InlineData("a = +", "1:5: \"+\" is not a value (strings need quotes)")]
    [InlineData("a = 9223372036854775808", "1:5: \"9223372036854775808\" is not a value (beyond 64 bits)")]
    [InlineData("a = 0x8000000000000000", "1:5: \"0x8000000000000000\" is not a value (beyond 64 bits)")]
    [InlineData("a = 0o1000000000000000000000", "1:5: invalid size of octal integer. Expecting less than or equal 21 octal digits")]
    [InlineData("a = +0x1", "1:5: \"+0x1\" is not a value (strings need quotes)")]
    [InlineData("a = 0x_1", "1:5: an underscore must be surrounded by at least one hexadecimal digit on each side")]
    [InlineData("a = 0o8", "1:5: \"0o8\" is not a value (strings need quotes)")]
    [InlineData("a = .5", "1:5: \".5\" is not a value (strings need quotes)")]
    [InlineData("a = Inf", "1:5: \"Inf\" is not a value (strings need quotes)")]
    [InlineData("a = 10.0.0.1", "1:5: \"10.0.0.1\" is not a value (strings need quotes)")]
    [InlineData("a = True", "1:5: \"True\" is not a value (strings need quotes)")]
    [InlineData("a = 1979-13-01", "1:5: \"1979-13-01\" is not a date or time (RFC 3339)")]
    [InlineData("a = 1979-02-29", "1:5: \"1979-02-29\" is not a date or time (RFC 3339)")]
    [InlineData("a = 1979-5-27", "1:5: \"1979-5-27\" is not a date or time (RFC 3339)")]
    [InlineData("a = 1979-05-27X07:32:00", "1:5: \"1979-05-27X07:32:00\" is not a value (strings need quotes)")]
    [InlineData("a = 1979-05-27  07:32:00", "1:17: \"07:32:00\" after the end of the statement (one statement per line; # starts a comment)")]
    [InlineData("a = 24:00:00", "1:5: \"24:00:00\" is not a date or time (RFC 3339)")]
    [InlineData("a = 7:00:00", "1:5: \"7:00:00\" is not a date or time (RFC 3339)")]
    [InlineData("a = 07:00:00Z", "1:5: \"07:00:00Z\" is not a date or time (RFC 3339)")]
    [InlineData("a = 1979-05-27T07:32:00+24:00", "1:5: \"1979-05-27T07:32:00+24:00\" is not a date or time (RFC 3339)")]
    [InlineData("a = [1 2]", "1:8: \"2\" in an array (expected \",\" or \"]\")")]
    [InlineData("a = [,]", "1:6: \",\" is not a value (strings need quotes)")]
    [InlineData("a = [1,,2]", "1:8: \",\" is not a value (strings need quotes)")]
    [InlineData("a = [1", "1:5: the array is not closed (\"]\" is missing)")]
    [InlineData("a = [\n1,\n", "1:5: the array is not closed (\"]\" is missing)")]
    [InlineData("a = [\n1\nb = 2", "3:1: \"b\" in an array (expected \",\" or \"]\")")]
    [InlineData("a = {,}", "1:6: \",\" in a table in braces (expected a key, \",\" or \"}\")")]
    [InlineData("a = {x=1 y=2}", "1:10: \"y\" in a table in braces (expected a key, \",\" or \"}\")")]
    [InlineData("a = {x=1,x=2}", "1:10: key \"x\" is set already, in line 1")]
    [InlineData("a = {x={y=1}, x.z=2}", "1:15: table \"x\" of line 1 is complete (dotted keys cannot add to it)")]
    [InlineData("a = {x=1, x.y=2}", "1:11: \"x\" is an integer since line 1, not a table")]
    [InlineData("[]", "1:2: \"]\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("[a", "1:3: the end of the file in a header (expected \"]\")")]
    [InlineData("[a\n]", "1:3: the end of the line in a header (expected \"]\")")]
    [InlineData("[a.]", "1:4: \"]\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
    [InlineData("[a b]", "1:4: \"b\" in a header (expected \"]\")")]
    [InlineData("[a]]", "1:3: \"]\" in a header (expected \"]\")")]
    [InlineData("[[a]", "1:4: \"]\" in a header (expected \"]]\")")]
    [InlineData("[[a] ]", "1:4: \"]\" in a header (expected \"]]\")")]
    [InlineData("[ [a]]", "1:3: \"[a\" where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)")]
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
    public void AllFaultsAreReportedAtOnce_AndTheOtherStatementsAreRead()
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
            last = 2
            """;
        Assert.Equal("{good=i1, more=i2, b={kept=true, last=i2}}", TomlText.Read(Document, out List<Fault> faults));
        Assert.Equal([2, 5, 9, 13], faults.Select(fault => fault.Line).Order());
    }

    [Theory]
    [InlineData("a = 1_\nb = \"x\nb = 1\nc = \"y\"\n[d\n", "{}", "1:7", "2:5")]
    [InlineData("a = 1\nb = [\"\"\"\nx\"\"\", \"y\nc = 2\nd = \"z\"", "{a=i1}", "3:7")]
    [InlineData("a = 1\n[b]\nc = '''\nd = 2\n[e]\n", "{a=i1, b={}}", "3:5")]
    [InlineData("a = 1\nb = '''x''''''\nc = 2\n", "{a=i1}", "2:14")]
    [InlineData("a = 1\nb = \"C:\\\nc = \"x\"\n", "{a=i1}", "2:5")]
    [InlineData("\"a = 1\nb = 2\n", "{}", "1:1")]
    public void AfterAnOpenQuote_NothingIsReadAndNothingIsReported(string document, string meaning, params string[] places)
    {
        Assert.Equal(meaning, TomlText.Read(document, out List<Fault> faults));
        Assert.Equal(places, faults.Select(fault => $"{fault.Line}:{fault.Column}"));
    }

    [Theory]
    [InlineData("token = e78336b3-SECRET")]
    [InlineData("token = [\n  SECRET\n]")]
    [InlineData("token =\n?SECRET")]
    [InlineData("webhook = SECRET")]
    [InlineData("peers = [{ token = SECRET }]")]
    [InlineData("[server]\nsecret = 'a' SECRET")]
    public void AFaultBesideASecret_QuotesNothing(string document)
    {
        TomlText.Read(document, out List<Fault> faults);
        Assert.NotEmpty(faults);
        Assert.DoesNotContain(faults, fault => fault.Message.Contains("SECRET", StringComparison.Ordinal));
    }

    [Fact]
    public void AFault_FitsOnALineWhateverItQuotes()
    {
        string large = new('x', 100_000);
        TomlText.Read($"a = {large}\nb = 1_{new string('0', 100_000)}z\n\"{large}\\n\" = 1\n\"{large}\\n\" = 2\nc.\"\\n\" = 1\nc.\"\\n\" = 2\n", out List<Fault> faults);
        Assert.Equal([1, 2, 4, 6], faults.Select(fault => fault.Line));
        Assert.All(faults, fault => Assert.InRange(fault.Message.Length, 1, 1_001));
        Assert.DoesNotContain(faults, fault => fault.Message.Any(char.IsControl));
    }

    [Fact]
    public void KeysAndValuesKnowTheirPlace()
    {
        List<Fault> faults = [];
        TomlTable table = TomlDocument.Read("f", "# 🎉\n  a.'é'.b  =  [ 1,\n\t'x' ]"u8, faults);
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
        Assert.Equal("f: more than 64 arrays or tables inside each other", Assert.Single(faults).ToString());
    }

    [Theory]
    [InlineData("?\n", "f:51: too many faults; the rest of the file was not read")]
    [InlineData("a = 1\n", "f:52: too many faults; the rest of the file was not read")]
    public void TheNumberOfFaultsIsBounded(string line, string last)
    {
        TomlText.Read(string.Concat(Enumerable.Repeat(line, 1000)), out List<Fault> faults);
        Assert.Equal(TomlDocument.MaxFaults + 1, faults.Count);
        Assert.Equal(last, faults[^1].ToString());
    }
}
