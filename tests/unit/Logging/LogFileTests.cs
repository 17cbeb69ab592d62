using System.Text;
using Couic.Logging;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Logging;

public sealed class LogFileTests : IDisposable
{
    private readonly TestClock _clock = new(new DateTime(2026, 1, 2, 0, 0, 0, DateTimeKind.Utc));
    private readonly TempFolder _folder = new();
    private readonly LogFile _file;

    public LogFileTests() => _file = new LogFile(_clock);

    public void Dispose()
    {
        _file.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void LinesAreAddedToWhatIsThere()
    {
        _folder.Write("couic.log", "old\n");
        Assert.True(Write("new\n"));
        Assert.Equal("old\nnew\n", File.ReadAllText(_folder["couic.log"]));
    }

    [Fact]
    public void AFileThatWasMovedOrDeletedIsMadeAnew()
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
    public void AFolderThatIsGoneIsMadeAgain()
    {
        string folder = _folder["a/b"];
        Assert.True(_file.TryWrite(folder, "couic.log", 1, "1\n"u8));
        Directory.Delete(_folder["a"], recursive: true);
        Assert.True(_file.TryWrite(folder, "couic.log", 1, "2\n"u8));
        Assert.Equal("2\n", File.ReadAllText(Path.Combine(folder, "couic.log")));
    }

    [Fact]
    public void AFolderThatCannotBeCostsLinesAndIsTriedAgainAfterASecond()
    {
        string folder = _folder.Write("file", string.Empty);
        Assert.False(_file.TryWrite(folder, "couic.log", 1, "1\n"u8));
        Assert.Equal($"write \"{folder}/couic.log\": not a directory", _file.Fault);
        File.Delete(folder);
        Assert.False(_file.TryWrite(folder, "couic.log", 1, "2\n"u8));
        _clock.Move(TimeSpan.FromSeconds(1));
        Assert.True(_file.TryWrite(folder, "couic.log", 1, "3\n"u8));
        Assert.Null(_file.Fault);
        Assert.Equal("3\n", File.ReadAllText(Path.Combine(folder, "couic.log")));
    }

    [Fact]
    public void AFullDiskCostsLinesAndTheNextOneStartsOnALineOfItsOwn()
    {
        using SmallDisk disk = new();
        byte[] lines = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(new string('x', 99) + "\n", 50)));
        Assert.True(_file.TryWrite(disk.Path, "couic.log", 1, "first\n"u8));
        disk.Fill();
        Assert.False(_file.TryWrite(disk.Path, "couic.log", 1, lines));
        Assert.Equal($"write \"{disk["couic.log"]}\": no space left on device", _file.Fault);
        disk.Free();
        _clock.Move(TimeSpan.FromSeconds(1));
        Assert.True(_file.TryWrite(disk.Path, "couic.log", 1, "last\n"u8));
        string[] written = File.ReadAllLines(disk["couic.log"]);
        Assert.Equal(("first", "last"), (written[0], written[^1]));
        _file.Close();
    }

    [Fact]
    public void WhatIsNotAPlainFileIsNoLog()
    {
        Assert.False(_file.TryWrite("/dev", "full", 100, "1\n"u8));
        File.CreateSymbolicLink(_folder["couic.log"], "/dev/null");
        _clock.Move(TimeSpan.FromSeconds(2));
        Assert.False(Write("1\n"));
    }

    private bool Write(string text) => _file.TryWrite(_folder.Path, "couic.log", 2, Encoding.ASCII.GetBytes(text));
}
