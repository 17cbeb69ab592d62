using System.Text;
using System.Text.Json;
using Couic.Config;
using Couic.Logging;
using Couic.Logging.Abstractions;
using Couic.Tests.Fakes;
using Couic.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;
using ZLogger;

namespace Couic.Tests.Logging;

public sealed partial class LogFactoryTests : IDisposable
{
    private static readonly LoggingSettings ToOutput = new(Dir: null);

    /// <summary>Generous: a busy machine must not fail a test.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly ManualClock _clock = new(new DateTime(2026, 1, 2, 3, 4, 5, 678, 901, DateTimeKind.Utc));
    private readonly MemoryOutput _output = new();
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TextLine_HasTimeLevelAreaMessageEventAndFields()
    {
        Run(ToOutput, logs =>
        {
            Write(logs.CreateLogger("audit"), "web", 7);
            Attached(logs.CreateLogger("Couic.Daemon.Start"), "eth0", true, -1);
        });
        Assert.Equal(
            [
                "2026-01-02T03:04:05.678901Z INFO audit entry created event=entry_created client=web expiration=7",
                "2026-01-02T03:04:05.678901Z WARN daemon attached to eth0: True, -1 event=attached interface=eth0 again=true time_left=-1",
            ],
            _output.Lines);
    }

    /// <summary>Only a whole value counts: a 7 in 17 or in 10.0.0.7 is a different value.</summary>
    [Fact]
    public void Terminal_OmitsFieldsThatTheMessageContains_AFileDoesNot()
    {
        MemoryOutput terminal = new() { Kind = OutputKind.Terminal };
        using (LogFactory logs = new(ToOutput with { Dir = _folder.Path }, terminal, _clock, LogQueue.DefaultBytes, Patience))
        {
            Attached(logs.CreateLogger("Couic.Daemon.Start"), "eth0", true, -1);
            Shown(logs.CreateLogger("audit"), "10.0.0.7", 17, "web", Fields("web", 7));
        }

        Assert.Equal(
            [
                "2026-01-02T03:04:05.678901Z WARN daemon attached to eth0: True, -1 event=attached again=true",
                "2026-01-02T03:04:05.678901Z INFO audit entry 10.0.0.7 of 17 created by web event=entry_shown expiration=7",
            ],
            terminal.Lines);
        string file = Assert.Single(Directory.GetFiles(_folder.Path));
        Assert.Contains("attached to eth0: True, -1 event=attached interface=eth0 again=true time_left=-1\n", File.ReadAllText(file), StringComparison.Ordinal);
    }

    [Fact]
    public void JsonLine_IsOneObject()
    {
        Run(ToOutput with { Format = LogFormat.Json }, logs =>
        {
            Counted(logs.CreateLogger("audit"), "a\"b\\c\n\u001b\u2028é🎉", ulong.MaxValue);
            Failed(logs.CreateLogger("Couic.Http.X"), "text", new InvalidOperationException("why"));
        });
        using JsonDocument first = JsonDocument.Parse(_output.Lines[0]);
        Assert.Equal(
            ["timestamp", "level", "area", "message", "event", "client", "expiration"],
            first.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal("2026-01-02T03:04:05.678901Z", first.RootElement.GetProperty("timestamp").GetString());
        Assert.Equal("info", first.RootElement.GetProperty("level").GetString());
        Assert.Equal("a\"b\\c\n\u001b\u2028é🎉", first.RootElement.GetProperty("client").GetString());
        Assert.Equal(ulong.MaxValue, first.RootElement.GetProperty("expiration").GetUInt64());
        using JsonDocument second = JsonDocument.Parse(_output.Lines[1]);
        Assert.Equal("error", second.RootElement.GetProperty("level").GetString());
        Assert.Equal("text", second.RootElement.GetProperty("message_").GetString());
        Assert.Contains("why", second.RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void TextFromOutside_NeitherStartsALineNorReachesTheTerminal()
    {
        Run(ToOutput, logs =>
        {
            ILogger log = logs.CreateLogger("audit");
            Counted(log, "a b\r\n\u0085\u202e\"=\\", 0);
            Named(log, "y\u001b[31m\n");
            Counted(log, string.Empty, 0);
            Counted(log, "\ud800a", 0);
        });
        Assert.Equal(4, _output.Lines.Count);
        Assert.EndsWith("counted event=counted client=\"a b\\u{d}\\n\\u{85}\\u{202e}\\\"=\\\\\" expiration=0", _output.Lines[0], StringComparison.Ordinal);
        Assert.EndsWith("named y\\u{1b}[31m\\n event=named client=\"y\\u{1b}[31m\\n\"", _output.Lines[1], StringComparison.Ordinal);
        Assert.EndsWith("client=\"\" expiration=0", _output.Lines[2], StringComparison.Ordinal);
        Assert.EndsWith("client=\"\ufffda\" expiration=0", _output.Lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_AreTheSameInBothFormats_ExceptThoseThatJsonLacks()
    {
        foreach (LogFormat format in new[] { LogFormat.Text, LogFormat.Json })
        {
            Run(ToOutput with { Format = format }, logs => Numbers(logs.CreateLogger("a"), -1.5, long.MinValue, true, double.NegativeInfinity));
        }

        Assert.EndsWith(" a=-1.5 b=-9223372036854775808 c=true d=-Infinity", _output.Lines[0], StringComparison.Ordinal);
        Assert.EndsWith(",\"a\":-1.5,\"b\":-9223372036854775808,\"c\":true,\"d\":null}", _output.Lines[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LogFormat.Text, "audit entry created event=entry_created client=7 tag=\"\" expiration=7\n")]
    [InlineData(LogFormat.Json, "\"message\":\"entry created\",\"event\":\"entry_created\",\"client\":\"7\",\"tag\":\"\",\"expiration\":7}\n")]
    public void AuditFields_AreWordsAndNumbers_AndNotPartOfTheMessage(LogFormat format, string end)
    {
        Run(ToOutput with { Format = format }, logs =>
        {
            var fields = new LogFields();
            fields.AddWord("client"u8, "7"u8);
            fields.AddWord("tag"u8, default);
            fields.Add("expiration"u8, 7);
            Assert.Equal(" client=7 tag=\"\" expiration=7", fields.ToString());
            EntryCreated(logs.CreateLogger("audit"), fields);
        });
        Assert.EndsWith(end, _output.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Levels_BelowTheConfiguredOneAreSilent_AndApplyChangesIt()
    {
        Run(ToOutput with { Level = LogLevel.Warning }, logs =>
        {
            ILogger log = logs.CreateLogger("a");
            Named(log, "silent");
            Assert.False(log.IsEnabled(LogLevel.Information));
            logs.Apply(ToOutput with { Level = LogLevel.Debug });
            Named(log, "heard");
            Assert.True(log.IsEnabled(LogLevel.Debug));
            Assert.False(log.IsEnabled(LogLevel.None));
        });
        Assert.Contains("heard", Assert.Single(_output.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void Journal_PutsThePriorityBeforeEachLine_AndNotIntoTheFile()
    {
        MemoryOutput journal = new() { Kind = OutputKind.Journal };
        using (var logs = new LogFactory(ToOutput with { Dir = _folder.Path }, journal, _clock, LogQueue.DefaultBytes, Patience))
        {
            foreach (LogLevel level in new[] { LogLevel.Information, LogLevel.Warning, LogLevel.Error, LogLevel.Critical })
            {
                logs.CreateLogger("a").Log(level, default, "text", null, (text, _) => text);
            }
        }

        Assert.Equal(["<6>", "<4>", "<3>", "<2>"], journal.Lines.Select(line => line[..3]));
        Assert.Equal(journal.Lines.Select(line => line[3..]), File.ReadLines(Assert.Single(Directory.GetFiles(_folder.Path))));
    }

    [Fact]
    public void FullQueue_DropsLinesCountsThemAndNeverWaits()
    {
        _output.Gate.Reset();
        long dropped;
        using (var logs = new LogFactory(ToOutput, _output, _clock, queueBytes: 2000, Patience))
        {
            ILogger log = logs.CreateLogger("a");
            Named(log, "first");
            Assert.True(_output.Begun.Wait(Patience, TestContext.Current.CancellationToken));
            for (int i = 0; i < 1000; i++)
            {
                Named(log, "more");
            }

            dropped = logs.Dropped;
            _output.Gate.Set();
        }

        Assert.InRange(dropped, 900, 999);
        Assert.Equal(1001 - dropped, _output.Lines.Count(line => line.Contains("event=named", StringComparison.Ordinal)));
        Assert.EndsWith($"WARN log log lines dropped: the queue was full event=log_lines_dropped count={dropped}", _output.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void LinesOfManyThreads_AreAllWrittenWhole()
    {
        Run(ToOutput, logs => Parallel.For(0, 1000, i => Counted(logs.CreateLogger("a"), "c", (ulong)i)));
        Assert.Equal(1000, _output.Lines.Select(line => line[line.LastIndexOf('=')..]).Distinct().Count());
    }

    [Fact]
    public void AuditLine_AllocatesNothing()
    {
        using var logs = new LogFactory(ToOutput, _output, TimeProvider.System, LogQueue.DefaultBytes, Patience);
        ILogger log = logs.CreateLogger("audit");
        long used = long.MaxValue;
        for (int round = 0; round < 600 && used > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
            {
                EntryCreated(log, Fields("web", 7));
            }

            used = GC.GetAllocatedBytesForCurrentThread() - before;
            Thread.Sleep(100); // until optimized code replaces code that boxes structs
        }

        Assert.Equal(0, used);
    }

    [Fact]
    public void LogFields_ThatDoNotFit_AreLeftOut()
    {
        var fields = new LogFields();
        fields.AddWord("a"u8, Encoding.ASCII.GetBytes(new string('x', LogFields.MaxBytes - 7)));
        fields.AddWord("b"u8, "yyy"u8);
        fields.Add("c"u8, 1);
        fields.AddWord("d"u8, "y"u8);
        Assert.Equal($" a={new string('x', LogFields.MaxBytes - 7)} d=y", fields.ToString());
    }

    [Theory]
    [InlineData(LogFormat.Text)]
    [InlineData(LogFormat.Json)]
    public void HugeLine_IsCutAtTheLimitAndNotWithinACharacter(LogFormat format)
    {
        Run(ToOutput with { Format = format }, logs => Failed(logs.CreateLogger("a"), new string('é', 1_000_000), new InvalidOperationException(new string('x', 1_000_000))));
        string line = Assert.Single(_output.Lines);
        Assert.InRange(Encoding.UTF8.GetByteCount(line), LineFormatter.MaxBytes, 3 * LineFormatter.MaxBytes);
        Assert.DoesNotContain('\ufffd', line);
    }

    /// <summary>A caller serves a request.</summary>
    [Fact]
    public void ExceptionWhileALineIsFormatted_CostsTheLineAndDoesNotReachTheCaller()
    {
        long before = InternalErrors.Count(Place.LogWriter);
        Run(ToOutput, logs =>
        {
            ILogger log = logs.CreateLogger("a");
            log.Log(LogLevel.Information, default, 0, null, (_, _) => throw new InvalidOperationException());
            Assert.Equal(1, logs.Dropped);
            Named(log, "next");
        });
        Assert.Equal(1, InternalErrors.Count(Place.LogWriter) - before);
        Assert.EndsWith("named next event=named client=next", Assert.Single(_output.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void LineLoggedWhileAnotherIsFormatted_LeavesBothWhole()
    {
        Run(ToOutput, logs =>
        {
            ILogger log = logs.CreateLogger("a");
            log.Log(LogLevel.Information, default, 0, null, (_, _) =>
            {
                Named(log, "inner");
                return "outer";
            });
        });
        Assert.Equal(["named inner event=named client=inner", "outer"], _output.Lines.Select(line => line[(line.IndexOf(" a ", StringComparison.Ordinal) + 3)..]));
    }

    [Fact]
    public void LineAfterDispose_IsIgnored()
    {
        var logs = new LogFactory(ToOutput, _output, _clock, LogQueue.DefaultBytes, Patience);
        ILogger log = logs.CreateLogger("a");
        logs.Dispose();
        logs.Dispose();
        Named(log, "late");
        Assert.Empty(_output.Lines);
    }

    [Fact]
    public void WithALogFile_StandardOutputIsText()
    {
        Run(new LoggingSettings(_folder.Path, Format: LogFormat.Json), logs => Named(logs.CreateLogger("a"), "x"));
        Assert.StartsWith("2026-01-02T", Assert.Single(_output.Lines), StringComparison.Ordinal);
        Assert.StartsWith("{\"timestamp\":\"2026-01-02T", File.ReadAllText(_folder["couic.2026-01-02.log"]), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(_folder["couic.2026-01-02.log"]) & ~(UnixFileMode)LogFile.Mode);
    }

    [Fact]
    public void EachDay_StartsAFile_AndOldLogFilesAreRemoved()
    {
        foreach (string name in new[] { "couic.2025-12-30.log", "couic.2026-01-01.log", "couic.log", "couic.2026-13-01.log", "other.log", "couic.2026-01-01.log.gz" })
        {
            _folder.Write(name, "old\n");
        }

        Run(new LoggingSettings(_folder.Path, MaxLogFiles: 3), logs =>
        {
            ILogger log = logs.CreateLogger("a");
            Named(log, "first");
            _clock.Advance(TimeSpan.FromHours(21));
            Named(log, "second");
        });
        Assert.Equal(
            ["couic.2026-01-01.log", "couic.2026-01-01.log.gz", "couic.2026-01-02.log", "couic.2026-01-03.log", "couic.2026-13-01.log", "other.log"],
            Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Contains("first", File.ReadAllText(_folder["couic.2026-01-02.log"]), StringComparison.Ordinal);
        Assert.Contains("second", File.ReadAllText(_folder["couic.2026-01-03.log"]), StringComparison.Ordinal);
    }

    [Fact]
    public void LinesThatTheDiskRefused_AreCounted_AndReportedOnceItWorksAgain()
    {
        string folder = _folder.Write("logs", string.Empty); // a file where the folder should be
        using var logs = new LogFactory(new LoggingSettings(folder, LogRotation.Never), _output, _clock, LogQueue.DefaultBytes, Patience);
        ILogger log = logs.CreateLogger("a");
        Named(log, "lost");
        Assert.True(SpinWait.SpinUntil(() => logs.Lost == 1 && _output.Lines.Count == 2, Patience));
        Assert.Contains($"event=log_file_failed cause=\"write \\\"{folder}/couic.log\\\": not a directory\"", _output.Lines[1], StringComparison.Ordinal);
        File.Delete(folder);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Named(log, "kept");
        Assert.True(SpinWait.SpinUntil(() => _output.Lines.Count == 4, Patience));
        logs.Dispose();
        string[] written = File.ReadAllLines(Path.Combine(folder, "couic.log"));
        Assert.Contains("kept", written[0], StringComparison.Ordinal);
        Assert.EndsWith("WARN log log file works again event=log_file_recovered lost=1", written[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LogRotation.Daily, "couic.2026-01-03.log")]
    [InlineData(LogRotation.Weekly, "couic.2025-12-28.log")]
    [InlineData(LogRotation.Never, "couic.log")]
    public void FileName_FollowsTheRotation(LogRotation rotation, string name)
    {
        Assert.Equal(name, LogFileNames.For(rotation, new DateTime(2026, 1, 3, 23, 59, 59, DateTimeKind.Utc)));
        Assert.Equal(
            name.Replace("2026-01-03", "2026-01-04", StringComparison.Ordinal).Replace("2025-12-28", "2026-01-04", StringComparison.Ordinal),
            LogFileNames.For(rotation, new DateTime(2026, 1, 4, 0, 0, 0, DateTimeKind.Utc)));
    }

    private static void Write(ILogger log, string client, ulong expiration) => EntryCreated(log, Fields(client, expiration));

    private static LogFields Fields(string client, ulong expiration)
    {
        Span<byte> utf8 = stackalloc byte[64];
        var fields = new LogFields();
        fields.AddWord("client"u8, utf8[..Encoding.UTF8.GetBytes(client, utf8)]);
        fields.Add("expiration"u8, expiration);
        return fields;
    }

    private void Run(LoggingSettings settings, Action<LogFactory> body)
    {
        using var logs = new LogFactory(settings, _output, _clock, LogQueue.DefaultBytes, Patience);
        body(logs);
    }

    [LoggerMessage(EventName = "attached", Level = LogLevel.Warning, Message = "attached to {Interface}: {again}, {timeLeft}")]
    private static partial void Attached(ILogger log, string @interface, bool again, int timeLeft);

    [LoggerMessage(EventName = "named", Level = LogLevel.Information, Message = "named {client}")]
    private static partial void Named(ILogger log, string client);

    [LoggerMessage(EventName = "failed", Level = LogLevel.Critical, Message = "failed: {message}")]
    private static partial void Failed(ILogger log, string message, Exception exception);

    [LoggerMessage(EventName = "counted", Level = LogLevel.Information, Message = "counted")]
#pragma warning disable SYSLIB1015 // fields that the message does not show
    private static partial void Counted(ILogger log, string client, ulong expiration);

    [LoggerMessage(EventName = "numbers", Level = LogLevel.Information, Message = "numbers")]
    private static partial void Numbers(ILogger log, double a, long b, bool c, double d);
#pragma warning restore SYSLIB1015

    [ZLoggerMessage(EventName = "entry_created", Level = LogLevel.Information, Message = "entry created{fields}")]
    private static partial void EntryCreated(ILogger log, LogFields fields);

    [ZLoggerMessage(EventName = "entry_shown", Level = LogLevel.Information, Message = "entry {address} of {count} created by {name}{fields}")]
    private static partial void Shown(ILogger log, string address, int count, string name, LogFields fields);
}
