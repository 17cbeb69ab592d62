using System.Text;
using System.Text.Json;
using Couic.Config;
using Couic.Logging;
using Couic.Logging.Abstractions;
using Couic.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Couic.Tests.Logging;

public sealed partial class LogFactoryTests : IDisposable
{
    private static readonly LoggingSettings ToOutput = new(Dir: null);
    /// <summary>However busy the machine: what is written is looked at after the writer has ended.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly LogEvent Created = new(1, "entry_created", "x");

    private readonly TestClock _clock = new(new DateTime(2026, 1, 2, 3, 4, 5, 678, 901, DateTimeKind.Utc));
    private readonly MemoryOutput _output = new();
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ATextLineHasTimeLevelAreaMessageAndFields()
    {
        Run(ToOutput, logs =>
        {
            Write(logs.CreateLogger("audit"), "entry created", "web", 7);
            Attached(logs.CreateLogger("Couic.Daemon.Start"), "eth0", true, -1);
        });
        Assert.Equal(
            [
                "2026-01-02T03:04:05.678901Z INFO audit entry created event=entry_created client=web expiration=7",
                "2026-01-02T03:04:05.678901Z WARN daemon attached to eth0: True, -1 event=attached interface=eth0 again=true time_left=-1",
            ],
            _output.Lines);
    }

    /// <summary>Only whole values are the same: a 7 in 17 or in 10.0.0.7 is another one.</summary>
    [Fact]
    public void ATerminalIsNotToldTwiceAndAFileIs()
    {
        MemoryOutput terminal = new() { Reader = LogReader.Person };
        using (LogFactory logs = new(ToOutput with { Dir = _folder.Path }, terminal, _clock, LogQueue.DefaultBytes, Patience))
        {
            Attached(logs.CreateLogger("Couic.Daemon.Start"), "eth0", true, -1);
            Write(logs.CreateLogger("audit"), "entry 10.0.0.7 of 17 created by web", "web", 7);
        }

        Assert.Equal(
            [
                "2026-01-02T03:04:05.678901Z WARN daemon attached to eth0: True, -1 event=attached again=true",
                "2026-01-02T03:04:05.678901Z INFO audit entry 10.0.0.7 of 17 created by web event=entry_created expiration=7",
            ],
            terminal.Lines);
        string file = Assert.Single(Directory.GetFiles(_folder.Path));
        Assert.Contains("attached to eth0: True, -1 event=attached interface=eth0 again=true time_left=-1\n", File.ReadAllText(file), StringComparison.Ordinal);
    }

    [Fact]
    public void AJsonLineIsOneObject()
    {
        Run(ToOutput with { Format = LogFormat.Json }, logs =>
        {
            Write(logs.CreateLogger("audit"), "entry created", "a\"b\\c\n\u001b\u2028é🎉", ulong.MaxValue);
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
    public void NothingFromOutsideStartsALineOrReachesTheTerminal()
    {
        Run(ToOutput, logs =>
        {
            ILogger log = logs.CreateLogger("audit");
            Write(log, "x", "a b\r\n\u0085\u202e\"=\\", 0);
            Named(log, "y\u001b[31m\n");
            Write(log, "x", string.Empty, 0);
            var fields = new LogFields(new byte[100]);
            fields.Add("client"u8, [0xff, (byte)'a', 0xc3]);
            log.Write(LogLevel.Error, Created, in fields);
        });
        Assert.Equal(4, _output.Lines.Count);
        Assert.EndsWith("x event=entry_created client=\"a b\\u{d}\\n\\u{85}\\u{202e}\\\"=\\\\\" expiration=0", _output.Lines[0], StringComparison.Ordinal);
        Assert.EndsWith("named y\\u{1b}[31m\\n event=named client=\"y\\u{1b}[31m\\n\"", _output.Lines[1], StringComparison.Ordinal);
        Assert.EndsWith("client=\"\" expiration=0", _output.Lines[2], StringComparison.Ordinal);
        Assert.EndsWith("client=\"\ufffda\ufffd\"", _output.Lines[3], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("created", "x\ny")]
    [InlineData("created", "x\u001b[31m")]
    [InlineData("created", "é")]
    [InlineData("Created", "x")]
    [InlineData("a b", "x")]
    [InlineData("", "x")]
    public void WhatIsTheSameInEachLineIsKnownToBeSafe(string name, string message) =>
        Assert.Throws<ArgumentException>(() => new LogEvent(1, name, message));

    [Fact]
    public void NumbersAreTheSameInBothFormatsButForThoseThatJsonLacks()
    {
        foreach (LogFormat format in new[] { LogFormat.Text, LogFormat.Json })
        {
            Run(ToOutput with { Format = format }, logs =>
            {
                var fields = new LogFields(stackalloc byte[LogFields.UsualBytes]);
                fields.Add("a"u8, -1.5);
                fields.Add("b"u8, long.MinValue);
                fields.Add("c"u8, true);
                fields.Add("d"u8, double.NegativeInfinity);
                logs.CreateLogger("a").Write(LogLevel.Information, Created, in fields);
            });
        }

        Assert.EndsWith(" a=-1.5 b=-9223372036854775808 c=true d=-Infinity", _output.Lines[0], StringComparison.Ordinal);
        Assert.EndsWith(",\"a\":-1.5,\"b\":-9223372036854775808,\"c\":true,\"d\":null}", _output.Lines[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LogFormat.Text, "event=entry_created client=web tag=\"\"\n")]
    [InlineData(LogFormat.Json, "\"event\":\"entry_created\",\"client\":\"web\",\"tag\":\"\"}\n")]
    public void AWordStandsAsItIs(LogFormat format, string end)
    {
        Run(ToOutput with { Format = format }, logs =>
        {
            var fields = new LogFields(new byte[100]);
            fields.AddWord("client"u8, "web"u8);
            fields.AddWord("tag"u8, default);
            Assert.Equal("client=web tag=", fields.ToString());
            logs.CreateLogger("audit").Write(LogLevel.Information, Created, in fields);
        });
        Assert.EndsWith(end, _output.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void LevelsBelowTheConfiguredOneAreSilentAndTheLevelCanChange()
    {
        Run(ToOutput with { Level = LogLevel.Warning }, logs =>
        {
            ILogger log = logs.CreateLogger("a");
            Write(log, "silent", "c", 0);
            Assert.False(log.IsEnabled(LogLevel.Information));
            logs.Apply(ToOutput with { Level = LogLevel.Debug });
            Write(log, "heard", "c", 0);
            Assert.True(log.IsEnabled(LogLevel.Debug));
            Assert.False(log.IsEnabled(LogLevel.None));
        });
        Assert.Contains("heard", Assert.Single(_output.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public void UnderTheJournalEachLineHasItsPriority()
    {
        MemoryOutput journal = new() { Reader = LogReader.Journal };
        using (var logs = new LogFactory(ToOutput, journal, _clock, LogQueue.DefaultBytes, Patience))
        {
            foreach (LogLevel level in new[] { LogLevel.Information, LogLevel.Warning, LogLevel.Error, LogLevel.Critical })
            {
                var fields = new LogFields([]);
                logs.CreateLogger("a").Write(level, Created, in fields);
            }
        }

        Assert.Equal(["<6>", "<4>", "<3>", "<2>"], journal.Lines.Select(line => line[..3]));
    }

    [Fact]
    public void AFullQueueDropsLinesCountsThemAndNeverWaits()
    {
        _output.Gate.Reset();
        long dropped;
        using (var logs = new LogFactory(ToOutput, _output, _clock, queueBytes: 2000, Patience))
        {
            ILogger log = logs.CreateLogger("a");
            Write(log, "first", "c", 0);
            Assert.True(_output.Begun.Wait(Patience, TestContext.Current.CancellationToken));
            for (int i = 0; i < 1000; i++)
            {
                Write(log, "more", "c", 0);
            }

            dropped = logs.Dropped;
            _output.Gate.Set();
        }

        Assert.InRange(dropped, 900, 999);
        Assert.Equal(1001 - dropped, _output.Lines.Count(line => line.Contains("entry_created", StringComparison.Ordinal)));
        Assert.EndsWith($"WARN log log lines dropped: the queue was full event=log_lines_dropped count={dropped}", _output.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void LinesOfManyThreadsAreAllWrittenWhole()
    {
        Run(ToOutput, logs => Parallel.For(0, 1000, i => Write(logs.CreateLogger("a"), "line", "c", (ulong)i)));
        Assert.Equal(1000, _output.Lines.Select(line => line[line.LastIndexOf('=')..]).Distinct().Count());
    }

    [Fact]
    public void ALineOfFieldsAllocatesNothing()
    {
        using var logs = new LogFactory(ToOutput, _output, TimeProvider.System, LogQueue.DefaultBytes, Patience);
        ILogger log = logs.CreateLogger("audit");
        Write(log, "warm", "c", 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Span<byte> buffer = stackalloc byte[LogFields.UsualBytes];
        for (int i = 0; i < 100; i++)
        {
            var fields = new LogFields(buffer);
            fields.Add("client"u8, "web"u8);
            fields.Add("name"u8, "text");
            fields.Add("expiration"u8, 7ul);
            log.Write(LogLevel.Information, Created, in fields);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void FieldsThatDoNotFitAreCutOffOrLeftOut()
    {
        var fields = new LogFields(new byte[20]);
        fields.Add("a"u8, new string('x', 100));
        fields.Add("b"u8, 1L);
        fields.Add("c"u8, "y"u8);
        Assert.Equal("a=" + new string('x', 13), fields.ToString());
    }

    [Fact]
    public void AnotherLoggerGetsTheSameLineAsText()
    {
        var recorder = new Recorder();
        Write(recorder, "entry created", "web", 7);
        Assert.Equal("entry created client=web expiration=7", recorder.Text);
    }

    [Fact]
    public void LinesAfterTheEndAreNoError()
    {
        var logs = new LogFactory(ToOutput, _output, _clock, LogQueue.DefaultBytes, Patience);
        ILogger log = logs.CreateLogger("a");
        logs.Dispose();
        logs.Dispose();
        Write(log, "late", "c", 0);
        Assert.Empty(_output.Lines);
    }

    [Fact]
    public void WithAFileStandardOutputIsText()
    {
        Run(new LoggingSettings(_folder.Path, Format: LogFormat.Json), logs => Write(logs.CreateLogger("a"), "x", "c", 0));
        Assert.StartsWith("2026-01-02T", Assert.Single(_output.Lines), StringComparison.Ordinal);
        Assert.StartsWith("{\"timestamp\":\"2026-01-02T", File.ReadAllText(_folder["couic.2026-01-02.log"]), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(_folder["couic.2026-01-02.log"]) & ~(UnixFileMode)LogFile.Mode);
    }

    [Fact]
    public void EachDayHasItsFileAndOldOnesOfOursGo()
    {
        foreach (string name in new[] { "couic.2025-12-30.log", "couic.2026-01-01.log", "couic.log", "couic.2026-13-01.log", "other.log", "couic.2026-01-01.log.gz" })
        {
            _folder.Write(name, "old\n");
        }

        Run(new LoggingSettings(_folder.Path, MaxLogFiles: 3), logs =>
        {
            ILogger log = logs.CreateLogger("a");
            Write(log, "first", "c", 0);
            _clock.Move(TimeSpan.FromHours(21));
            Write(log, "second", "c", 0);
        });
        Assert.Equal(
            ["couic.2026-01-01.log", "couic.2026-01-01.log.gz", "couic.2026-01-02.log", "couic.2026-01-03.log", "couic.2026-13-01.log", "other.log"],
            Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Contains("first", File.ReadAllText(_folder["couic.2026-01-02.log"]), StringComparison.Ordinal);
        Assert.Contains("second", File.ReadAllText(_folder["couic.2026-01-03.log"]), StringComparison.Ordinal);
    }

    [Fact]
    public void LinesThatTheDiskRefusedAreCountedAndSaidOnceItWorksAgain()
    {
        string folder = _folder.Write("logs", string.Empty); // a file where the folder should be
        using var logs = new LogFactory(new LoggingSettings(folder, LogRotation.Never), _output, _clock, LogQueue.DefaultBytes, Patience);
        ILogger log = logs.CreateLogger("a");
        Write(log, "lost", "c", 0);
        Assert.True(SpinWait.SpinUntil(() => logs.Lost == 1 && _output.Lines.Count == 2, Patience));
        Assert.Contains($"event=log_file_failed cause=\"write \\\"{folder}/couic.log\\\": not a directory\"", _output.Lines[1], StringComparison.Ordinal);
        File.Delete(folder);
        _clock.Move(TimeSpan.FromSeconds(2));
        Write(log, "kept", "c", 0);
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
    public void TheFileIsNamedAfterItsRotation(LogRotation rotation, string name)
    {
        Assert.Equal(name, LogFileNames.For(rotation, new DateTime(2026, 1, 3, 23, 59, 59, DateTimeKind.Utc)));
        Assert.Equal(
            name.Replace("2026-01-03", "2026-01-04", StringComparison.Ordinal).Replace("2025-12-28", "2026-01-04", StringComparison.Ordinal),
            LogFileNames.For(rotation, new DateTime(2026, 1, 4, 0, 0, 0, DateTimeKind.Utc)));
    }

    private static void Write(ILogger log, string message, string client, ulong expiration)
    {
        var fields = new LogFields(stackalloc byte[LogFields.UsualBytes]);
        fields.Add("client"u8, client);
        fields.Add("expiration"u8, expiration);
        log.Write(LogLevel.Information, new LogEvent(1, "entry_created", message), in fields);
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

    private sealed class Recorder : ILogger
    {
        public string Text { get; private set; } = string.Empty;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Text = formatter(state, exception);
    }
}
