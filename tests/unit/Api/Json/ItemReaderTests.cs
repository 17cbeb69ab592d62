using System.Text;
using Couic.Api.Json;
using Xunit;

namespace Couic.Tests.Api.Json;

/// <summary>Items that arrive in small pieces; <c>ItemStreamTarget</c> compares the items themselves, however they are cut.</summary>
public sealed class ItemReaderTests
{
    private const int Size = 50_000;

    public static TheoryData<string, bool> Drips => new()
    {
        { $"[\"{new string('x', Size)}\"]", false },
        { $"[\"{new string('\\', Size)}\"]", false },
        { $"[{{\"a\":\"{new string('}', Size)}\"}},1]", false },
        { $"[{{\"a\":[{string.Join(',', Enumerable.Repeat("{}", Size / 3))}]}}]", false },
        { $"[{new string('1', Size)},2]", false },
        { $"[1{new string(' ', Size)},{new string('\n', Size)}2]", false },
        { $"{new string(' ', Size)}[]{new string('\t', Size)}", false },
        { $"[{string.Join(',', Enumerable.Repeat("{\"a\":1}", Size / 8))}]", false },
        { $"{{\"a\":\"{new string('x', Size)}\"}}\n", true },
        { $"{new string(' ', Size)}\n{new string('\n', Size)}1", true },
    };

    [Theory]
    [MemberData(nameof(Drips))]
    public void Next_OneByteAtATime_LooksAtEachByteAFewTimes(string text, bool isLines)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        var reader = new ItemReader(isLines);
        int start = 0, end = 0, items = 0;
        while (reader.Next(bytes.AsSpan(start, end - start), end == bytes.Length, out int consumed, out _) is var step && step != ItemStep.End)
        {
            start += consumed;
            items += step == ItemStep.Item ? 1 : 0;
            end += step == ItemStep.More ? 1 : 0;
        }

        Assert.True(items > 0 || text.Contains("[]", StringComparison.Ordinal));
        Assert.InRange(reader.Examined, 0, 6L * bytes.Length);
    }

    [Theory]
    [InlineData("\"abc")]
    [InlineData("  12")]
    [InlineData("tru")]
    public void Next_WhatIsNoArray_IsBrokenAtItsFirstBytes(string text)
    {
        var reader = new ItemReader(isLines: false);
        Assert.Throws<System.Text.Json.JsonException>(() => reader.Next(Encoding.ASCII.GetBytes(text), isLast: false, out _, out _));
    }
}
