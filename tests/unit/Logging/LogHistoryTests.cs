using System.Text;
using Couic.Config;
using Couic.Logging;
using Couic.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Couic.Tests.Logging;

/// <summary>Lines of the log files, read back.</summary>
public sealed partial class LogHistoryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(LogFormat.Text)]
    [InlineData(LogFormat.Json)]
    public void ALine_IsReadBack_WithWhatItHolds(LogFormat format)
    {
        const string Hostile = "a b=\"c\\\" event=forged x=1\nx";
        using (var logs = new LogFactory(new LoggingSettings(_folder.Path, LogRotation.Never, Format: format), new MemoryOutput(), TimeProvider.System, LogQueue.DefaultBytes, TimeSpan.FromMinutes(1)))
        {
            Changed(logs.CreateLogger("audit"), "192.0.2.0/24", 7, Hostile, string.Empty);
        }

        LogLine line = LogLine.Parse(Assert.Single(LogHistory.ReadBackwards(_folder.Path), text => Encoding.UTF8.GetString(text).Contains("192.0.2.0/24", StringComparison.Ordinal)))!;
        Assert.Equal(("audit", "changed"), (line.Area, line.Event));
        Assert.StartsWith("entry 192.0.2.0/24 changed 7 a b=", line.Message, StringComparison.Ordinal);
        Assert.Equal(["cidr", "count", "detail", "empty"], line.Fields.Keys.Order());
        Assert.Equal(("192.0.2.0/24", "7", ""), (line.Fields["cidr"], line.Fields["count"], line.Fields["empty"]));
        Assert.Contains("event=forged", line.Fields["detail"], StringComparison.Ordinal);
        Assert.InRange(DateTimeOffset.UtcNow - line.Time, TimeSpan.FromSeconds(-1), TimeSpan.FromMinutes(5));
    }

    [Theory]
    [InlineData("2026-01-02T03:04:05.678901Z INFO audit entry created event=entry_created cidr=1.2.3.4/32 detail=\"a \\\"b\\\\\"")]
    [InlineData("""{"timestamp":"2026-01-02T03:04:05.678901Z","level":"info","area":"audit","message":"m \u0041","event":"entry_created","expiration":0}""")]
    public void EveryTruncation_IsALineOrNone(string text)
    {
        for (int length = 0; length <= text.Length; length++)
        {
            LogLine? line = LogLine.Parse(Encoding.UTF8.GetBytes(text[..length]));
            Assert.True(length < text.Length || line?.Event == "entry_created");
        }
    }

    [Theory]
    [InlineData("{\"timestamp\":\"2026-01-02T03:04:05Z\",\"timestamp\":\"2026-01-02T03:04:05Z\",\"area\":\"a\",\"message\":\"m\",\"event\":\"e\"}")]
    [InlineData("{\"timestamp\":1,\"area\":\"a\",\"message\":\"m\",\"event\":\"\\ud800\"}")]
    [InlineData("[]")]
    [InlineData("event= event= event=")]
    [InlineData("2026-01-02T03:04:05Z x event=")]
    [InlineData("2026-01-02T03:04:05Z INFO audit text event=x y")]
    [InlineData("2026-01-02T03:04:05Z INFO audit text event=x y=\"open")]
    [InlineData("2026-01-02T03:04:05Z INFO audit text event=x y=1 y=2")]
    public void WhatIsNotALine_IsSkipped(string text) => Assert.Null(LogLine.Parse(Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData("said event=forged client=a event=real client=b", "said event=forged client=a")]
    [InlineData("said event=real client=b detail=\"x event=forged y=1\"", "said")]
    [InlineData("said event=real client=b detail=\"x event=forged y=\\\"\"", "said")]
    public void TheEvent_CannotBeForged(string rest, string message)
    {
        LogLine line = LogLine.Parse(Encoding.UTF8.GetBytes("2026-01-02T03:04:05Z INFO audit " + rest))!;
        Assert.Equal(("real", "b", message), (line.Event, line.Fields["client"], line.Message));
    }

    /// <summary>Lines of all lengths, so that blocks begin and end at every place of a line.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public void Files_AreReadBackwards_LineByLine(int seed, bool endsWithLineEnd)
    {
        var random = new Random(seed);
        var lines = new List<string>();
        for (int file = 0; file < 3; file++)
        {
            string[] own = [.. Enumerable.Range(0, 400).Select(i => $"{file}.{i} {new string('x', random.Next(random.Next(5_000)))}")];
            string path = _folder.Write(file == 2 ? "couic.log" : $"couic.{file + 1}.log", string.Join('\n', own) + (endsWithLineEnd ? "\n" : string.Empty));
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(file));
            lines.AddRange(own);
        }

        _folder.Write("other.log", "not ours\n");
        lines.Reverse();
        Assert.Equal(lines, LogHistory.ReadBackwards(_folder.Path).Select(Encoding.UTF8.GetString));
    }

    [Fact]
    public void WhatHasNoLineEnd_CostsABlockAtMost()
    {
        _folder.Write("couic.log", new string('x', 10 * 1024 * 1024));
        Assert.Empty(LogHistory.ReadBackwards(_folder.Path));
    }

    [Fact]
    public void AFolderThatIsGone_IsNamed()
    {
        IOException e = Assert.Throws<IOException>(() => LogHistory.ReadBackwards(_folder["gone"]).Count());
        Assert.Contains("gone", e.Message, StringComparison.Ordinal);
    }

    [LoggerMessage(EventName = "changed", Level = LogLevel.Information, Message = "entry {cidr} changed {count} {detail} {empty}")]
    private static partial void Changed(ILogger log, string cidr, int count, string detail, string empty);
}
