using System.Text;
using Couic.Logging;
using Couic.Tests.Fakes;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Logging;

public sealed class LogFileTests : IDisposable
{
    private readonly ManualClock _clock = new(new DateTime(2026, 1, 2, 0, 0, 0, DateTimeKind.Utc));
    private readonly TempFolder _folder = new();
    private readonly LogFile _file;

    public LogFileTests() => _file = new LogFile(_clock);

    public void Dispose()
    {
        _file.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Lines_AreAppendedToAnExistingFile()
    {
        _folder.Write("couic.log", "old\n");
        Assert.True(Write("new\n"));
        Assert.Equal("old\nnew\n", File.ReadAllText(_folder["couic.log"]));
    }

    [Fact]
    public void MovedOrDeletedFile_IsCreatedAgain()
    {
        Write("1\n");
        File.Move(_folder["couic.log"], _folder["couic.log.1"]);
        Assert.True(Write("2\n"));
        Assert.Equal("2\n", File.ReadAllText(_folder["couic.log"]));
        File.Delete(_folder["couic.log"]);
        Assert.True(Write("3\n"));
        Assert.Equal("3\n", File.ReadAllText(_folder["couic.log"]));
    }

    [Fact]
    public void DeletedFolder_IsCreatedAgain()
    {
        string folder = _folder["a/b"];
        Assert.True(_file.TryWrite(folder, "couic.log", 1, "1\n"u8));
        Directory.Delete(_folder["a"], recursive: true);
        Assert.True(_file.TryWrite(folder, "couic.log", 1, "2\n"u8));
        Assert.Equal("2\n", File.ReadAllText(Path.Combine(folder, "couic.log")));
    }

    [Fact]
    public void FolderThatCannotBeCreated_CostsLines_AndIsRetriedAfterASecond()
    {
        string folder = _folder.Write("file", string.Empty);
        Assert.False(_file.TryWrite(folder, "couic.log", 1, "1\n"u8));
        Assert.Equal($"write \"{folder}/couic.log\": not a directory", _file.Fault);
        File.Delete(folder);
        Assert.False(_file.TryWrite(folder, "couic.log", 1, "2\n"u8));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_file.TryWrite(folder, "couic.log", 1, "3\n"u8));
        Assert.Null(_file.Fault);
        Assert.Equal("3\n", File.ReadAllText(Path.Combine(folder, "couic.log")));
    }

    [Fact]
    public void FullDisk_CostsLines_AndTheNextLineStartsOnANewLine()
    {
        using SmallDisk disk = new();
        byte[] lines = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 99) + "\n", 50)));
        Assert.True(_file.TryWrite(disk.Path, "couic.log", 1, "first\n"u8));
        disk.Fill();
        Assert.False(_file.TryWrite(disk.Path, "couic.log", 1, lines));
        Assert.Equal($"write \"{disk["couic.log"]}\": no space left on device", _file.Fault);
        disk.Free();
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_file.TryWrite(disk.Path, "couic.log", 1, "last\n"u8));
        string[] written = File.ReadAllLines(disk["couic.log"]);
        Assert.Equal(("first", "last"), (written[0], written[^1]));
        _file.Close();
    }

    [Fact]
    public void SpecialFilesAndLinks_AreNotWritten()
    {
        Assert.False(_file.TryWrite("/dev", "full", 100, "1\n"u8));
        File.CreateSymbolicLink(_folder["couic.log"], "/dev/null");
        _clock.Advance(TimeSpan.FromSeconds(2));
        Assert.False(Write("1\n"));
    }

    [Fact]
    public void TryWrite_FullFile_GetsANumberAndTheTotalStaysBelowItsLimit()
    {
        string[] names = ["couic.2026-01-02.log", "couic.2026-01-03.log"];
        _folder.Write("couic.2026-01-01.log", new string('x', 60));
        _folder.Write("other.log", new string('x', 1_000));
        for (int i = 0; i < 200; i++)
        {
            Assert.True(_file.TryWrite(_folder.Path, names[i / 100], 7, Encoding.ASCII.GetBytes($"line {i:d4}\n"), maxBytes: 100, maxTotalBytes: 500));
            long total = new DirectoryInfo(_folder.Path).EnumerateFiles("couic.*").Sum(file => file.Length);
            Assert.InRange(total, 10, 500);
        }

        Assert.Equal(
            ["couic.2026-01-03.6.log", "couic.2026-01-03.7.log", "couic.2026-01-03.8.log", "couic.2026-01-03.9.log", "couic.2026-01-03.log", "other.log"],
            Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.EndsWith("line 0199\n", File.ReadAllText(_folder["couic.2026-01-03.log"]), StringComparison.Ordinal);
    }

    [Fact]
    public void TryWrite_BothLimitsReachedInOneDay_KeepsTheLatestLinesInOrder()
    {
        for (int i = 0; i < 100; i++)
        {
            Assert.True(_file.TryWrite(_folder.Path, "couic.log", 1, Encoding.ASCII.GetBytes($"{i:d3}\n"), maxBytes: 8, maxTotalBytes: 24));
        }

        Assert.Equal(
            "094\n095\n096\n097\n098\n099\n",
            string.Concat(new[] { "couic.48.log", "couic.49.log", "couic.log" }.Select(name => File.ReadAllText(_folder[name]))));
        Assert.Equal(3, Directory.GetFiles(_folder.Path).Length);
    }

    private bool Write(string text) => _file.TryWrite(_folder.Path, "couic.log", 2, Encoding.ASCII.GetBytes(text));
}
